"""What is made of predictions, all at once, compiled: their order, and what they lose."""

from __future__ import annotations

import numpy as np

from trainer.candles.arrays import FloatArray, IntArray
from trainer.compiled.library import opened

_LIBRARY = opened()


def summed_losses(p: FloatArray, y: FloatArray, least: float) -> float:
    """Return the sum of the log losses of predictions, in nats; 0 of none.

    Parameters
    ----------
    p : ndarray of float64, shape (n,)
        Probabilities of a rise.
    y : ndarray of float64, shape (n,)
        1 where it rose, 0 where it fell; 1/2 counts as half of each.
    least : float
        What a probability counts as at least, and 1 less this at most; 1e-18 or more.
    """
    said, truth = np.ascontiguousarray(p, dtype=np.float64), np.ascontiguousarray(y, dtype=np.float64)
    if not said.shape == truth.shape == (len(said),):
        raise ValueError(f"predictions of shape {said.shape}, outcomes of shape {truth.shape}")
    return float(_LIBRARY.summed_losses(said.ctypes.data, truth.ctypes.data, len(said), least))


def ascending_order(values: FloatArray) -> IntArray:
    """Return the positions that put numbers in ascending order, equal ones as they stood, shape (n,).

    By their digits (radix sort), which takes a third of the time of a sort by comparisons.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        Finite.
    """
    numbers = np.ascontiguousarray(values, dtype=np.float64).reshape(-1)
    order = np.empty(len(numbers), dtype=np.int64)
    if _LIBRARY.ascending(numbers.ctypes.data, len(numbers), order.ctypes.data):
        raise MemoryError("no room to put predictions in order")
    return order
