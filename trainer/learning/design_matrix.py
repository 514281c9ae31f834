"""The design matrix: the labelled rows of a feature matrix, read in chunks through an aligned float64 buffer.

The feature matrix itself is never copied or scaled; what every pass over it needs fits the second-level
cache.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainer.candles.arrays import Float32Array, FloatArray, IntArray, aligned
from trainer.features.products import Products

CHUNK_ROWS = 2048


class DesignMatrix:
    """Chosen rows of a matrix, in order.

    Parameters
    ----------
    values : ndarray of float32, shape (N, p)
        All rows; may be a read-only memory map.
    row : ndarray of int64, shape (n,)
        Positions of the chosen ones, ascending.
    products : Products, optional
        Those of all rows, where they are known.
    """

    def __init__(self, values: Float32Array, row: IntArray, products: Products | None = None) -> None:
        # Slicing a plain array is many times faster than slicing a memory map.
        self.values = np.asarray(values)
        self.row = row
        self.products = products
        self.columns = values.shape[1]
        self._buffer = aligned((CHUNK_ROWS, self.columns))
        self._gathered = np.empty((CHUNK_ROWS, self.columns), dtype=np.float32)

    def __len__(self) -> int:
        return len(self.row)

    def chunks(self, start: int, stop: int) -> Iterator[tuple[slice, FloatArray]]:
        """Yield rows `start` to `stop` as (which rows, values as float64), at most `CHUNK_ROWS` at a time.

        The values are a view of one buffer: they hold until the next chunk, and the caller may overwrite
        them.
        """
        for first in range(start, stop, CHUNK_ROWS):
            last = min(first + CHUNK_ROWS, stop)
            chunk = self._buffer[: last - first]
            low, high = int(self.row[first]), int(self.row[last - 1]) + 1
            if high - low == last - first:
                chunk[:] = self.values[low:high]
            else:
                gathered = self._gathered[: last - first]
                # mode="clip" lets take write to its output directly; no position is out of range.
                np.take(self.values, self.row[first:last], axis=0, out=gathered, mode="clip")
                chunk[:] = gathered
            yield slice(first, last), chunk
