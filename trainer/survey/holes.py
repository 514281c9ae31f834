"""Holes in a series: minutes in which nobody traded, told from minutes that were lost.

Many exchanges write no bar for a minute without a trade. Such holes are short, there are many of them or they
lie where hardly anything is traded, and a source that has them writes no bars without volume. What is lost by
an outage, by a page that was not fetched or by a deleted file is long, or lies amid ordinary trade.

A bar that is put together from the minutes in which there was trade is exact. A minute that is made up is
not: it is a guess that nothing was lost, so bars are filled only if `data.missing` is ``no_trade``.
"""

from __future__ import annotations

import numpy as np

from common.timeframes import Timeframe
from trainer.candles.arrays import FloatArray, IntArray
from trainer.candles.bars import CLOSE, QUOTE_VOLUME, VOLUME, Bars
from trainer.features.indicators import WARM_UP

LONGEST_IDLE = Timeframe.M15
"""Of longer bars none is left out for want of trade in a market that can be trained on."""

NEARBY_BARS = 360
"""The bars on each side of a hole that tell how usual holes are there: six hours of minutes."""

COMMON_SHARE = 0.02
"""Where such a share of the bars nearby is missing in short holes, the source leaves quiet minutes out."""

THIN_SHARE = 0.25
"""Rarer holes are quiet minutes only if their neighbours have less than this share of the usual volume."""

USUAL_BARS = 60
"""Bars on each side of a hole that tell what volume is usual there."""

UNLIKELY = 0.01
"""A hole is lost data if so long a one was expected less often than this in the whole series."""

WRITTEN_SHARE = 0.1
"""With so many bars without volume, in units of the missing ones, a source writes its quiet minutes."""


def idle_times(bars: Bars, timeframe: Timeframe) -> IntArray:
    """Find the missing bars in which, by all that can be seen, nothing was traded.

    Parameters
    ----------
    bars : Bars
        Strictly ascending, on the grid of `timeframe`.
    timeframe : Timeframe
        What they are bars of.

    Returns
    -------
    ndarray of int64, shape (k,)
        Their openings in milliseconds since the epoch, ascending.
    """
    interval = timeframe.milliseconds
    before = np.flatnonzero(np.diff(bars.open_time) > interval)
    none = np.empty(0, dtype=np.int64)
    if timeframe.seconds > LONGEST_IDLE.seconds or not len(before):
        return none
    length = (bars.open_time[before + 1] - bars.open_time[before]) // interval - 1
    volume = bars.values[VOLUME]
    if (volume == 0).sum() > WRITTEN_SHARE * length.sum():
        return none
    share = _share_nearby(bars.open_time, before, length, interval)
    expected = (len(bars) + length.sum()) * (1 - share) * share**length
    idle = expected >= UNLIKELY
    rare = np.flatnonzero(share < COMMON_SHARE)
    if len(rare):
        ratio = np.array([_thinness(bars, row) for row in before[rare].tolist()])
        idle[rare] &= (ratio <= THIN_SHARE) & (np.median(ratio) <= THIN_SHARE)
    before, length = before[idle], length[idle]
    if not len(before):
        return none
    place = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    return np.asarray(np.repeat(bars.open_time[before] + interval, length) + place * interval, np.int64)


def filled_idle(bars: Bars, idle: IntArray) -> Bars:
    """Put in a bar without volume, at the close before it, for each of the times in `idle`."""
    if not len(idle):
        return bars
    close = bars.values[CLOSE, np.searchsorted(bars.open_time, idle) - 1]
    values = np.repeat(close[None, :], len(bars.values), axis=0)
    values[[VOLUME, QUOTE_VOLUME]] = 0.0
    joined = Bars.joined([bars, Bars(idle, values)])
    return joined.take(np.argsort(joined.open_time, kind="stable"))


def pieces(open_time: IntArray, interval: int) -> list[tuple[int, int]]:
    """Return the half-open row ranges between long holes, in order.

    A hole longer than the warm-up of the features costs no more rows than one that is just as long, so what
    lies on both sides is judged by itself.
    """
    if not len(open_time):
        return []
    breaks = np.flatnonzero(np.diff(open_time) > (WARM_UP + 1) * interval) + 1
    starts = [0, *breaks.tolist()]
    return list(zip(starts, [*starts[1:], len(open_time)], strict=True))


def missing_share(open_time: IntArray, interval: int) -> float:
    """Share of the bars between the first and the last that are missing."""
    expected = int(open_time[-1] - open_time[0]) // interval + 1
    return 1 - len(open_time) / expected


def _share_nearby(open_time: IntArray, before: IntArray, length: IntArray, interval: int) -> FloatArray:
    """Share of the bars around each hole, without itself, that are missing in short holes."""
    steps = np.diff(open_time) // interval - 1
    short = np.where(steps <= WARM_UP, steps, 0)
    missing_until = np.concatenate([[0], np.cumsum(short)])
    start = np.maximum(before - NEARBY_BARS, 0)
    end = np.minimum(before + 1 + NEARBY_BARS, len(open_time) - 1)
    missing = missing_until[end] - missing_until[start] - np.where(length <= WARM_UP, length, 0)
    return np.asarray((missing + 0.5) / (missing + end - start + 1.0))


def _thinness(bars: Bars, row: int) -> float:
    """Volume of a hole's neighbours in units of what is usual around it."""
    volume = bars.values[VOLUME]
    usual = float(np.median(volume[max(row - USUAL_BARS, 0) : row + 2 + USUAL_BARS]))
    return float(volume[row : row + 2].mean()) / usual if usual > 0 else 1.0
