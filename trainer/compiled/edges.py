"""What the extreme rows of a fold would have earned, compiled, and sums over windows of neighbouring rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trainer.candles.arrays import FloatArray, IntArray
from trainer.compiled.library import opened
from trainer.compiled.passes import NO_ROOM, ROW_AMISS

_LIBRARY = opened()


class End(NamedTuple):
    """One extreme end of predictions: those beyond `edge` count once, those at it a `share` each."""

    edge: float
    share: float


def end_of(p: FloatArray, rows: int, highest: bool) -> End:
    """Return the end that `rows` of n predictions take up, shape (n,), 1 <= rows <= n."""
    _check(p)
    if not 1 <= rows <= len(p):
        raise ValueError(f"{rows} of {len(p)} predictions")
    edge, counts = np.zeros(1), np.zeros(2, dtype=np.int64)
    _run(_LIBRARY.tenth(p.ctypes.data, len(p), rows, highest, edge.ctypes.data, counts.ctypes.data))
    beyond, same = counts.tolist()
    return End(float(edge[0]), (rows - beyond) / same)


def sums_of_ends(p: FloatArray, moves: FloatArray, high: End, low: End) -> tuple[float, float]:
    """Return the sums of the moves, shape (n,), of a high and a low end of predictions, shape (n,)."""
    _check(p, moves)
    sums = np.zeros(2)
    _LIBRARY.tenth_sums(p.ctypes.data, moves.ctypes.data, len(p), *high, *low, sums.ctypes.data)
    return float(sums[0]), float(sums[1])


def parts_of_ends(
    p: FloatArray,
    moves: FloatArray,
    high: End,
    low: End,
    means: tuple[float, float],
    rows: int,
    parts: FloatArray,
) -> None:
    """Write to `parts` what each row adds to half the difference of two means, over `rows` rows each.

    Parameters
    ----------
    p, moves : ndarray of float64, shape (n,)
        Predictions and what came of them.
    high, low : End
        Those that count.
    means : (float, float)
        Of the moves of the high and of the low end.
    parts : ndarray of float64, shape (n,)
        Their sum is 0 over all rows that the means are of.
    """
    _check(p, moves, parts)
    numbers = *high, *low, *means, float(rows)
    _LIBRARY.tenth_parts(p.ctypes.data, moves.ctypes.data, len(p), *numbers, parts.ctypes.data)


def window_squares(parts: FloatArray, window: int) -> float:
    """Return the sum of squares of the sums over all windows of so many rows, shape (n,), 0 around them."""
    _check(parts)
    return float(_LIBRARY.window_squares(parts.ctypes.data, len(parts), window))


def overconfidence(
    p: FloatArray, y: FloatArray, added: FloatArray, window: int
) -> tuple[float, float, float]:
    """Return the log loss's derivatives by a slope at 1, and the `window_squares` of the first's parts.

    Parameters
    ----------
    p, y : ndarray of float64, shape (n,)
        Predictions and outcomes.
    added : ndarray of float64, shape (n,)
        The log odds that the slope multiplies.
    window : int
        Rows of a window.
    """
    _check(p, y, added)
    found = np.zeros(3)
    at = p.ctypes.data, y.ctypes.data, added.ctypes.data, len(p), window, found.ctypes.data
    _LIBRARY.overconfidence(*at)
    gradient, curvature, squares = found.tolist()
    return gradient, curvature, squares


def moves_of(close: FloatArray, bar: IntArray, horizon: int) -> FloatArray:
    """Return the log return of each bar's next `horizon` bars in basis points, shape (m,).

    Parameters
    ----------
    close : ndarray of float64, shape (n,)
        All closes.
    bar : ndarray of int64, shape (m,)
        Positions in them.
    horizon : int
        At least 1.
    """
    _check(close)
    _check_places(bar)
    _check_horizon(horizon)
    found = np.empty(len(bar))
    at = close.ctypes.data, len(close), bar.ctypes.data, len(bar), horizon, found.ctypes.data
    _run(_LIBRARY.moves(*at))
    return found


def outcomes_of(
    close: FloatArray,
    bar: IntArray,
    horizon: int,
    labelled: tuple[IntArray, FloatArray],
    ties: tuple[IntArray, FloatArray],
) -> tuple[FloatArray, FloatArray]:
    """Return what was said of some rows and their `moves_of`, both of shape (k + t,), in order of the rows.

    Parameters
    ----------
    bar : ndarray of int64, shape (m,)
        The bar of each row.
    labelled, ties : (ndarray of int64, ndarray of float64), shapes (k,) and (t,)
        Rows, ascending, and what was said of them.
    """
    for numbers in (close, labelled[1], ties[1]):
        _check(numbers)
    _check_places(bar, labelled[0], ties[0])
    _check_horizon(horizon)
    if len(labelled[0]) != len(labelled[1]) or len(ties[0]) != len(ties[1]):
        raise ValueError("one prediction is needed of each row")
    said, moved = (np.empty(len(labelled[0]) + len(ties[0])) for _ in range(2))
    given = (part for rows, p in (labelled, ties) for part in (rows.ctypes.data, p.ctypes.data, len(rows)))
    closes = close.ctypes.data, len(close), bar.ctypes.data, len(bar), horizon
    _run(_LIBRARY.outcomes(*closes, *given, said.ctypes.data, moved.ctypes.data))
    return said, moved


def _check_horizon(horizon: int) -> None:
    if horizon < 1:
        raise ValueError(f"a horizon of {horizon} bars")


def _run(ended: int) -> None:
    if ended == NO_ROOM:
        raise MemoryError("no room to find the extreme predictions")
    if ended == ROW_AMISS:
        raise ValueError("a row is of no bar that is followed by a whole horizon")


def _check(*arrays: FloatArray) -> None:
    for array in arrays:
        if array.dtype != np.float64 or array.shape != (len(arrays[0]),) or not array.flags.c_contiguous:
            raise ValueError(f"float64 in one piece are needed, {len(arrays[0])} of each, not {array.dtype}")


def _check_places(*arrays: IntArray) -> None:
    for array in arrays:
        if array.dtype != np.int64 or array.ndim != 1 or not array.flags.c_contiguous:
            raise ValueError(f"positions must be int64, in a row and in one piece, not {array.dtype}")
