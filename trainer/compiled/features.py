"""Features of a block of bars, compiled: some hundred bars at a time, whose columns stay in the second cache.

Column by column numpy and TA-Lib write each step to memory before they take the next one, which takes three
times as long. The digits are theirs: what is added up in a row is so in the same order, and logarithms are
left to numpy, between `scales` and `rows_of`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np

from trainer.candles.arrays import BoolArray, Float32Array, FloatArray, IntArray
from trainer.compiled.library import opened
from trainer.compiled.passes import NO_ROOM

_LIBRARY = opened()
_NO_ROOM = "there was no room for a tile of bars"

FEATURES = 40
"""How many columns bars have of themselves."""

LOGARITHMS = 8
"""How many rows of `scales` are to be taken the logarithm of."""

LOOKED_BACK = 60
"""How many bars before the first row must be there to look back upon."""

CONTEXT = 3
"""How many columns each further value has."""

Turns = tuple[Float32Array, Float32Array, int, int]
"""Sine and cosine at each place of a period, shape (m,), the first bar's place, and the places of a bar."""

Known = tuple[Float32Array, IntArray]
"""Values, shape (k, `CONTEXT`), and which of them each row has, shape (m,), -1 for none."""


def scales(
    log_close: FloatArray,
    log_range: FloatArray,
    deviation: FloatArray,
    bars: Sequence[FloatArray],
    skipped: int,
    parkinson: float,
    root_of_day: float,
) -> FloatArray:
    """Return what logarithms are to be taken of, and the volatility of 60 bars.

    Parameters
    ----------
    log_close : ndarray of float64, shape (n,)
        Logarithms of closes by the first of them.
    log_range : ndarray of float64, shape (n,)
        Logarithms of highs by lows.
    deviation : ndarray of float64, shape (n,)
        Standard deviations of 20 values of `log_close`.
    bars : sequence of ndarray of float64, shape (n,)
        Open, high, low, close and volume.
    skipped : int
        How many bars at the beginning are only looked back upon, `LOOKED_BACK` at least.
    parkinson : float
        What a root mean square of `log_range` is divided by to be a volatility.
    root_of_day : float
        Square root of the number of bars a day.

    Returns
    -------
    ndarray of float64, shape (`LOGARITHMS` + 1, n - skipped)
        Ratios to the volatility of 60 bars, within 1/20 and 20: the volatilities of 5, 15 and 30 bars; that
        of 60 bars a day; again ratios: the range's of 20 bars, the average true range of 14, the deviation
        of 20 closes; a hundredth and the share that the mean volume of 5 bars has in that of 60; and, which
        is none to be taken the logarithm of, the volatility of 60 bars.
    """
    _, high, low, close, volume = bars
    n = len(close)
    given = [
        _in_one_piece(column, n) for column in (log_close, log_range, deviation, high, low, close, volume)
    ]
    if not LOOKED_BACK <= skipped <= n:
        raise ValueError(f"{LOOKED_BACK} of {n} bars must be skipped, not {skipped}")
    found = np.empty((LOGARITHMS + 1, n - skipped))
    at = [column.ctypes.data for column in given]
    if _LIBRARY.scales(*at, n, skipped, parkinson, root_of_day, found.ctypes.data) == NO_ROOM:
        raise MemoryError(_NO_ROOM)
    return found


def rows_of(
    bars: Sequence[FloatArray],
    log_close: FloatArray,
    deviations: Sequence[FloatArray],
    logarithms: FloatArray,
    turns: tuple[Turns, Turns],
    context: Sequence[Known] = (),
) -> tuple[Float32Array, BoolArray]:
    """Return features, behind them what else is known, and which rows have numbers only.

    Parameters
    ----------
    bars : sequence of ndarray of float64, shape (n,)
        Open, high, low, close and volume.
    log_close : ndarray of float64, shape (n,)
        Logarithms of closes by the first of them.
    deviations : sequence of ndarray of float64, shape (n,)
        Standard deviations of 10, 20 and 60 values of `log_close`, and of 20 and 60 volumes.
    logarithms : ndarray of float64, shape (`LOGARITHMS` + 1, m)
        Of what `scales` returned of these bars.
    turns : tuple of two `Turns`
        Of the day and of the week.
    context : sequence of `Known`
        Each adds `CONTEXT` columns.

    Returns
    -------
    rows : ndarray of float32, shape (m, `FEATURES` + `CONTEXT` * len(context))
        Of the last m bars; not a number where a row has no position.
    usable : ndarray of bool, shape (m,)
        Whether all features are numbers, and all else has a position.
    """
    n, m = len(log_close), logarithms.shape[1]
    given, spread = (
        [_in_one_piece(column, n) for column in each] for each in ((*bars, log_close), deviations)
    )
    logs = np.ascontiguousarray(logarithms, dtype=np.float64)
    if logs.shape != (LOGARITHMS + 1, m) or m > n - LOOKED_BACK or len(given) != 6 or len(spread) != 5:
        shapes = (
            f"{len(given)} columns, {len(spread)} deviations of {n} bars, logarithms of shape {logs.shape}"
        )
        raise ValueError(f"features cannot be computed of {shapes}")
    tables, places = _circles(turns)
    known = [_known(*each, m) for each in context]
    rows = np.empty((m, FEATURES + CONTEXT * len(known)), dtype=np.float32)
    usable = np.empty(m, dtype=np.bool_)
    of_bars = _all(given), _all(spread), logs.ctypes.data, _all(tables), places.ctypes.data
    others = _all([array for each in known for array in each]), len(known)
    if _LIBRARY.features(*of_bars, *others, n, n - m, rows.ctypes.data, usable.ctypes.data) == NO_ROOM:
        raise MemoryError(_NO_ROOM)
    return rows, usable


def last_known(moments: IntArray, known: IntArray, fresh: int) -> IntArray:
    """Return which of the values that become known is the last at each moment, shape (n,); -1 if it is old.

    Parameters
    ----------
    moments : ndarray of int64, shape (n,)
        Ascending.
    known : ndarray of int64, shape (m,)
        When each value is known, ascending.
    fresh : int
        How long after that it may be used.
    """
    times, since = (np.ascontiguousarray(each, dtype=np.int64) for each in (moments, known))
    if times.ndim != 1 or since.ndim != 1:
        raise ValueError(f"times in a row are needed, not of shapes {times.shape} and {since.shape}")
    found = np.empty(len(times), dtype=np.int64)
    given = times.ctypes.data, len(times), since.ctypes.data, len(since)
    _LIBRARY.last_known(*given, fresh, found.ctypes.data)
    return found


def _in_one_piece(column: FloatArray, n: int) -> FloatArray:
    if column.shape != (n,):
        raise ValueError(f"a column of shape {column.shape} among columns of {n} bars")
    return np.ascontiguousarray(column, dtype=np.float64)


def _circles(turns: tuple[Turns, Turns]) -> tuple[list[Float32Array], IntArray]:
    tables, places = [], []
    for sine, cosine, place, step in turns:
        size = len(sine)
        if len(cosine) != size or not (0 <= place < size and 0 <= step < size):
            raise ValueError(f"place {place} and step {step} among {size} sines and {len(cosine)} cosines")
        tables += [np.ascontiguousarray(table, dtype=np.float32) for table in (sine, cosine)]
        places += [size, place, step]
    return tables, np.array(places, dtype=np.int64)


def _known(values: Float32Array, position: IntArray, m: int) -> Known:
    if values.ndim != 2 or values.shape[1] != CONTEXT or position.shape != (m,):
        raise ValueError(f"values of shape {values.shape} at positions of shape {position.shape} of {m} rows")
    if m and position.max() >= len(values):
        raise ValueError(f"position {position.max()} of {len(values)} values")
    return np.ascontiguousarray(values, np.float32), np.ascontiguousarray(position, np.int64)


def _all(arrays: Sequence[np.ndarray]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))
