"""What the log loss bends away from a quadratic, summed over rows.

The derivative of a row's log loss by its log odds t is ``1/2 + t/4 - label + r(t)``. All but the curved part
``r(t) = tanh(t/2)/2 - t/4`` is linear in t, and its sums over the rows are known from their moments. For the
weak signals of markets r is a hundredth of the rest or less, so that seven digits of it give nine or more of
the whole: a pass in float32 is enough (see `passes.curved_sums`).
"""

from __future__ import annotations

import numpy as np

from trainer.candles.arrays import Float32Array, FloatArray, IntArray
from trainer.compiled.passes import curved_sums
from trainer.learning.design_matrix import DesignMatrix
from trainer.learning.row_sample import drawn


class CurvedPart:
    """Sums of the curved part over rows of a matrix.

    Parameters
    ----------
    values : ndarray of float32, shape (N, p)
        The matrix, finite; may be a read-only memory map.
    row : ndarray of int64, shape (n,), optional
        Which rows of it, ascending; all by default.
    counted : ndarray of float32, shape (n,), optional
        How often each counts; once by default.
    """

    def __init__(
        self, values: Float32Array, row: IntArray | None = None, counted: Float32Array | None = None
    ) -> None:
        # Slicing a plain array is many times faster than slicing a memory map.
        self._values = np.asarray(values)
        self._row = row
        self._counted = counted

    @classmethod
    def of(cls, design: DesignMatrix, rows: int) -> CurvedPart:
        """Take the first rows of a design, without copying them."""
        return cls(design.values, design.row[:rows])

    @classmethod
    def sampled(cls, design: DesignMatrix, sizes: FloatArray, count: int) -> CurvedPart:
        """Copy a sample of the first rows of a design that stands for all of them: see `row_sample`.

        `sizes` are those of these rows, shape (rows,).
        """
        positions, weights = drawn(sizes, count)
        # Fancy indexing takes twice the time.
        return cls(np.take(design.values, design.row[positions], axis=0), counted=weights.astype(np.float32))

    def variances(self, means: FloatArray) -> FloatArray:
        """Return the mean squares of the differences of the columns from `means`, shape (p,)."""
        values = self._values if self._row is None else self._values[self._row]
        counted = np.ones(len(values), dtype=np.float32) if self._counted is None else self._counted
        squares = np.subtract(values, means.astype(np.float32))
        np.square(squares, out=squares)
        return np.asarray((counted @ squares).astype(np.float64) / counted.sum(dtype=np.float64))

    def sums(self, weights: FloatArray, offsets: FloatArray) -> FloatArray:
        """Return the sums of r and of its products with the columns, of even and odd spans apart.

        Parameters
        ----------
        weights : ndarray of float64, shape (m, p)
            Of the columns as they are, of m models; only their float32 digits count.
        offsets : ndarray of float64, shape (m,)
            Log odds where all columns are 0; likewise.

        Returns
        -------
        ndarray of float64, shape (2, m, p + 1)
        """
        return curved_sums(self._values, self._row, self._counted, weights, offsets)
