"""Where closes go over a horizon, compiled: labels in one pass, and whether claimed ones are these."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainer.candles.arrays import FloatArray, IntArray
from trainer.compiled.library import opened

_LIBRARY = opened()

ACROSS_A_GAP, OTHER_LABELS, OTHER_ROWS = 1, 2, 4


@dataclass(frozen=True, eq=False)
class Closes:
    """Candles, and which of them have a row.

    Parameters
    ----------
    open_time : ndarray of int64, shape (n,)
        Opening of each bar in milliseconds, ascending.
    close : ndarray of float64, shape (n,)
        Their closes.
    bar : ndarray of int64, shape (m,)
        The bar of each row, ascending.
    interval : int
        Length of a bar in milliseconds.
    """

    open_time: IntArray
    close: FloatArray
    bar: IntArray
    interval: int

    def __post_init__(self) -> None:
        for name, kind in (("open_time", np.int64), ("close", np.float64), ("bar", np.int64)):
            _check(name, getattr(self, name), kind)
        if len(self.open_time) != len(self.close):
            raise ValueError(f"{len(self.open_time)} times, {len(self.close)} closes")

    def told(self, horizon: int) -> tuple[int, ...]:
        """Return how the library is told of them."""
        if horizon < 1:
            raise ValueError(f"a horizon of {horizon} bars")
        bars = self.open_time.ctypes.data, self.close.ctypes.data, len(self.close)
        return (*bars, self.bar.ctypes.data, len(self.bar), horizon, self.interval)


def labels(closes: Closes, horizon: int) -> tuple[IntArray, FloatArray, IntArray, IntArray, IntArray]:
    """Label the rows that are followed by `horizon` bars without a gap.

    Returns
    -------
    row : ndarray of int64, shape (k,)
        The rows whose close then has moved.
    y : ndarray of float64, shape (k,)
        1 where it is higher, 0 where it is lower.
    close_time, end : ndarray of int64, shape (k,)
        When the row's bar and the label's last bar close, in milliseconds.
    tie : ndarray of int64, shape (t,)
        The rows whose close has not moved.
    """
    rows = len(closes.bar)
    row, close_time, end, tie = (np.empty(rows + 1, dtype=np.int64) for _ in range(4))
    y, counts = np.empty(rows + 1), np.zeros(2, dtype=np.int64)
    found = (each.ctypes.data for each in (row, y, close_time, end, tie, counts))
    if _LIBRARY.labels(*closes.told(horizon), *found):
        raise ValueError("a row is of a bar that is not among the candles")
    moved, tied = counts.tolist()
    return row[:moved], y[:moved], close_time[:moved], end[:moved], tie[:tied]


def label_faults(
    closes: Closes,
    horizon: int,
    row: IntArray,
    y: FloatArray | None,
    end: IntArray,
    tie: IntArray,
    with_ties: bool = True,
) -> int:
    """Return what is wrong with labels: the sum of those that apply of `ACROSS_A_GAP` and so on.

    Parameters
    ----------
    row, y, end, tie
        As from `labels`; without `y` outcomes are not looked at.
    with_ties : bool
        Whether rows whose close stays are ties; if not they must have a label too.
    """
    said = [("row", row, np.int64), ("end", end, np.int64), ("tie", tie, np.int64)]
    for name, array, kind in said if y is None else [*said, ("y", y, np.float64)]:
        _check(name, array, kind)
    if len(end) != len(row) or (y is not None and len(y) != len(row)):
        return OTHER_LABELS
    at_y = None if y is None else y.ctypes.data
    claims = row.ctypes.data, at_y, end.ctypes.data, len(row), tie.ctypes.data, len(tie)
    return int(_LIBRARY.label_faults(*closes.told(horizon), *claims, with_ties))


def _check(name: str, array: np.ndarray, kind: type) -> None:
    if array.dtype != kind or array.ndim != 1 or not array.flags.c_contiguous:
        raise ValueError(f"{name} must be {kind.__name__} in a row and in one piece, not {array.dtype}")
