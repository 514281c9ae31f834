"""Sums of products with one direction, compiled: they tell whether all sums of products are of some rows."""

from __future__ import annotations

import numpy as np

from trainer.candles.arrays import Float32Array, FloatArray
from trainer.compiled.library import opened

_LIBRARY = opened()


def projected(
    values: Float32Array, first: int, rows: int, origin: FloatArray, along: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the sums of products of a one and the columns, times a direction, in one reading of the rows.

    Parameters
    ----------
    values : ndarray of float32, shape (N, p)
        The matrix.
    first, rows : int
        Where they begin, and how many they are.
    origin : ndarray of float64, shape (p,)
        What the columns are less.
    along : ndarray of float64, shape (p + 1,)
        The direction.

    Returns
    -------
    found : ndarray of float64, shape (p + 1,)
        The matrix of the sums of products times the direction.
    squares : ndarray of float64, shape (p + 1,)
        Its diagonal: sums of squares.
    """
    columns = values.shape[1]
    if not 0 <= first <= first + rows <= len(values):
        raise ValueError(f"rows {first} to {first + rows} of {len(values)}")
    for array, kind, shape in (
        (values, np.float32, (len(values), columns)),
        (origin, np.float64, (columns,)),
        (along, np.float64, (columns + 1,)),
    ):
        if array.dtype != kind or array.shape != shape or not array.flags.c_contiguous:
            raise ValueError(f"{kind.__name__} of shape {shape} in one piece is needed, not {array.shape}")
    found, squares = np.empty(columns + 1), np.empty(columns + 1)
    where = values.ctypes.data, columns, first, rows
    told = (each.ctypes.data for each in (origin, along, found, squares))
    if _LIBRARY.project(*where, *told):
        raise MemoryError("no room for sums over rows")
    return found, squares
