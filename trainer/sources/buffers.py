"""The numbers of Arrow's columns as arrays.

Arrow's own conversion asks whether pandas is there, and imports it to find out: a second for each process,
before the first job. Columns without nulls, as candles have them, need no conversion.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_DTYPES: dict[pa.DataType, np.dtype[Any]] = {
    pa.int32(): np.dtype(np.int32),
    pa.int64(): np.dtype(np.int64),
    pa.uint64(): np.dtype(np.uint64),
    pa.float32(): np.dtype(np.float32),
    pa.float64(): np.dtype(np.float64),
}


def numbers_of(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    """Return the values of a column of numbers, shape (n,), as `ChunkedArray.to_numpy` would.

    The array may be read-only, and share its memory with the column.
    """
    dtype = _DTYPES.get(column.type)
    if dtype is None or column.null_count or column.num_chunks == 0:
        return np.asarray(column.to_numpy())
    parts = [
        np.frombuffer(chunk.buffers()[1], dtype, len(chunk), chunk.offset * dtype.itemsize)
        for chunk in column.chunks
        if len(chunk)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, dtype), *parts])
