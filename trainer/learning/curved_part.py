"""What the log loss bends away from a quadratic, summed over rows.

The derivative of a row's log loss by its log odds t is ``1/2 + t/4 - label + r(t)``. All but the curved part
``r(t) = tanh(t/2)/2 - t/4`` is linear in t, and its sums over the rows are known from their moments. For the
weak signals of markets r is a hundredth of the rest or less, so that seven digits of it give nine or more of
the whole: over all rows it is multiplied and added up in float32, at most `BLOCK_ROWS` at a time, before the
sums go on in float64. Over a sample everything is float64, since small differences of its sums are what it is
asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainer.candles.arrays import Float32Array, FloatArray
from trainer.learning.design_matrix import DesignMatrix

BLOCK_ROWS = 2048
SAMPLED_BLOCK_ROWS = 1024

SPARSE = 0.6
"""Share of labelled rows below which the others are left out before, not after they are multiplied."""


class CurvedPart:
    """Sums of the curved part over the rows of a matrix.

    Parameters
    ----------
    values : ndarray of float32, shape (N, p)
        All rows, finite; may be a read-only memory map.
    labelled : ndarray of float32, shape (N,), optional
        1 for rows that count, 0 for the others; all count by default.
    exact : bool
        Whether to multiply and add up in float64.
    """

    def __init__(
        self, values: Float32Array, labelled: Float32Array | None = None, exact: bool = False
    ) -> None:
        # Slicing a plain array is many times faster than slicing a memory map.
        self._values = np.asarray(values)
        self._labelled = labelled
        self._sparse = labelled is not None and np.count_nonzero(labelled) < SPARSE * len(labelled)
        self._type = np.float64 if exact else np.float32
        self._rows = SAMPLED_BLOCK_ROWS if exact else BLOCK_ROWS

    @classmethod
    def of(cls, design: DesignMatrix, rows: int) -> CurvedPart:
        """Take the first rows of a design, without copying them."""
        stop = int(design.row[rows - 1]) + 1
        if stop == rows:
            return cls(design.values[:stop])
        labelled = np.zeros(stop, dtype=np.float32)
        labelled[design.row[:rows]] = 1.0
        return cls(design.values[:stop], labelled)

    @classmethod
    def sampled(cls, design: DesignMatrix, rows: int, stride: int) -> CurvedPart:
        """Copy every so manieth of the first rows of a design."""
        return cls(design.values[design.row[:rows:stride]], exact=True)

    def __len__(self) -> int:
        return len(self._values)

    def sums(self, weights: FloatArray, offsets: FloatArray) -> FloatArray:
        """Return the sums of r and of its products with the columns, of even and odd blocks apart.

        Parameters
        ----------
        weights : ndarray of float64, shape (m, p)
            Of the columns as they are, of m models; all digits count only where they are float32's.
        offsets : ndarray of float64, shape (m,)
            Log odds where all columns are 0.

        Returns
        -------
        ndarray of float64, shape (2, m, p + 1)
        """
        models, columns = weights.shape
        # Halves of the log odds t, and tanh(t/2) - t/2, which is twice r.
        turned = np.ascontiguousarray(0.5 * weights.T, dtype=self._type)
        shifts = 0.5 * offsets[:, None]
        found = np.zeros((2, models, columns + 1))
        halves = np.empty((self._rows, models), dtype=self._type)
        shifted, twice = np.empty((models, self._rows)), np.empty((models, self._rows))
        rounded = np.empty((models, self._rows), dtype=self._type)
        for position, (values, labelled) in enumerate(self._blocks()):
            rows = len(values)
            half, r, small = shifted[:, :rows], twice[:, :rows], rounded[:, :rows]
            np.matmul(values, turned, out=halves[:rows])
            np.add(halves[:rows].T, shifts, out=half)
            np.tanh(half, out=r)
            r -= half
            if labelled is not None:
                r *= labelled
            small[:] = r
            found[position % 2, :, 0] += r.sum(axis=1)
            found[position % 2, :, 1:] += small @ values
        return 0.5 * found

    def _blocks(self) -> Iterator[tuple[Float32Array | FloatArray, Float32Array | None]]:
        buffer = np.empty((self._rows, self._values.shape[1]), dtype=self._type)
        for first in range(0, len(self._values), self._rows):
            values = self._values[first : first + self._rows]
            labelled = None if self._labelled is None else self._labelled[first : first + self._rows]
            if labelled is not None and self._sparse:
                values, labelled = values[labelled > 0.0], None
            if values.dtype != self._type:
                converted = buffer[: len(values)]
                converted[:] = values
                yield converted, labelled
            else:
                yield values, labelled
