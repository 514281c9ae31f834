"""What the log loss bends away from a quadratic, summed over rows.

The derivative of a row's log loss by its log odds t is ``1/2 + t/4 - label + r(t)``. All but the curved part
``r(t) = tanh(t/2)/2 - t/4`` is linear in t, and its sums over the rows are known from their moments. For the
weak signals of markets r is a hundredth of the rest or less, so that seven digits of it give nine or more of
the whole: it is computed, multiplied and added up in float32, at most `BLOCK_ROWS` rows at a time, before the
sums go on in float64.

r is computed by a polynomial, which does not lose the digits that tanh(t/2) and t/2 share. Its own products
and sums are the same digits on every machine; a library's tanh, which is asked for far rows only, is not.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainer.candles.arrays import Float32Array, FloatArray
from trainer.learning.design_matrix import DesignMatrix
from trainer.learning.row_sample import drawn

BLOCK_ROWS = 2048
SAMPLED_BLOCK_ROWS = 1024

SPARSE = 0.6
"""Share of labelled rows below which the others are left out before, not after they are multiplied."""

BENT = (
    np.float32(-0.33333331252),
    np.float32(0.133331285208),
    np.float32(-0.0539347888509),
    np.float32(0.0216601153748),
    np.float32(-0.00821892189779),
    np.float32(0.00251045932522),
    np.float32(-0.000420695493864),
)
"""Coefficients of ``(tanh(h) - h) / h**3`` by ascending powers of h squared, which is at most `BENT_UNTIL`.

They are Chebyshev's, within 2.1e-8 of it.
"""

BENT_UNTIL = 1.0
"""Corresponds to a probability of 0.88; further out tanh itself is asked."""


class CurvedPart:
    """Sums of the curved part over the rows of a matrix.

    Parameters
    ----------
    values : ndarray of float32, shape (N, p)
        All rows, finite; may be a read-only memory map.
    counted : ndarray of float32, shape (N,), optional
        How often each row counts, 0 for those that do not; all count once by default.
    block_rows : int
        How many are added up in float32.
    """

    def __init__(
        self, values: Float32Array, counted: Float32Array | None = None, block_rows: int = BLOCK_ROWS
    ) -> None:
        # Slicing a plain array is many times faster than slicing a memory map.
        self._values = np.asarray(values)
        self._counted = counted
        self._sparse = counted is not None and np.count_nonzero(counted) < SPARSE * len(counted)
        self._rows = block_rows

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
    def sampled(cls, design: DesignMatrix, rows: int, count: int) -> CurvedPart:
        """Copy a sample of the first rows of a design that stands for all of them: see `row_sample`."""
        positions, weights = drawn(design.sizes[:rows], count)
        values = design.values[design.row[positions]]
        return cls(values, weights.astype(np.float32), SAMPLED_BLOCK_ROWS)

    def __len__(self) -> int:
        return len(self._values)

    def variances(self, means: FloatArray) -> FloatArray:
        """Return the mean squares of the differences of the columns from `means`, shape (p,)."""
        counted = np.ones(len(self), dtype=np.float32) if self._counted is None else self._counted
        squares = self._values - means.astype(np.float32)
        squares *= squares
        return np.asarray((counted @ squares).astype(np.float64) / counted.sum(dtype=np.float64))

    def sums(self, weights: FloatArray, offsets: FloatArray) -> FloatArray:
        """Return the sums of r and of its products with the columns, of even and odd blocks apart.

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
        models, columns = weights.shape
        # Halves of the log odds t, and tanh(t/2) - t/2, which is twice r.
        halved = np.ascontiguousarray(0.5 * weights, dtype=np.float32)
        shifts = (0.5 * offsets[:, None]).astype(np.float32)
        found = np.zeros((2, models, columns + 1))
        halves = np.empty((models, self._rows), dtype=np.float32)
        squares, twice = np.empty_like(halves), np.empty_like(halves)
        for position, (values, counted) in enumerate(self._blocks()):
            rows = len(values)
            half, square, r = halves[:, :rows], squares[:, :rows], twice[:, :rows]
            np.matmul(halved, values.T, out=half)
            half += shifts
            _bend(half, square, r)
            if counted is not None:
                r *= counted
            found[position % 2, :, 0] += r.sum(axis=1)
            found[position % 2, :, 1:] += r @ values
        return 0.5 * found

    def _blocks(self) -> Iterator[tuple[Float32Array, Float32Array | None]]:
        for first in range(0, len(self._values), self._rows):
            values = self._values[first : first + self._rows]
            counted = None if self._counted is None else self._counted[first : first + self._rows]
            if counted is not None and self._sparse:
                present = counted > 0.0
                values, counted = values[present], counted[present]
            yield values, counted


def _bend(half: Float32Array, square: Float32Array, bent: Float32Array) -> None:
    """Write ``tanh(h) - h`` of each h in `half` to `bent`, all of one shape; `square` is overwritten."""
    np.multiply(half, half, out=square)
    far = square > BENT_UNTIL if square.max(initial=0.0) > BENT_UNTIL else None
    if far is not None:
        # The polynomial would leave float32 there.
        square[far] = 0.0
    np.multiply(square, BENT[-1], out=bent)
    for coefficient in BENT[-2:0:-1]:
        bent += coefficient
        bent *= square
    bent += BENT[0]
    bent *= square
    bent *= half
    if far is not None:
        exactly = half[far].astype(np.float64)
        bent[far] = np.tanh(exactly) - exactly
