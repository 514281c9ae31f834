"""The design matrix: the labelled rows of a feature matrix, read in chunks through an aligned float64 buffer.

The feature matrix itself is never copied or scaled; what every pass over it needs fits the second-level
cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from trainer.candles.arrays import Float32Array, FloatArray, IntArray

CHUNK_ROWS = 2048
_ALIGNMENT = 64


class DesignMatrix:
    """Chosen rows of a matrix, in order.

    Parameters
    ----------
    values : ndarray of float32, shape (N, p)
        All rows; may be a read-only memory map.
    row : ndarray of int64, shape (n,)
        Positions of the chosen ones, ascending.
    """

    def __init__(self, values: Float32Array, row: IntArray) -> None:
        self.values = values
        self.row = row
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


def aligned(shape: tuple[int, ...]) -> FloatArray:
    """Return an empty float64 array that begins at a cache line, so that no sum depends on where it lies."""
    size = math.prod(shape) * 8
    raw: npt.NDArray[np.uint8] = np.empty(size + _ALIGNMENT, dtype=np.uint8)
    offset = -raw.ctypes.data % _ALIGNMENT
    return raw[offset : offset + size].view(np.float64).reshape(shape)
