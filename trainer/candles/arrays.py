"""The kinds of array that candles and features are made of, and buffers of them."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

_ALIGNMENT = 64


def aligned(shape: tuple[int, ...]) -> FloatArray:
    """Return an empty float64 array that begins at a cache line, so that no sum depends on where it lies."""
    size = math.prod(shape) * 8
    raw: npt.NDArray[np.uint8] = np.empty(size + _ALIGNMENT, dtype=np.uint8)
    offset = -raw.ctypes.data % _ALIGNMENT
    return raw[offset : offset + size].view(np.float64).reshape(shape)
