"""Whether two sources tell of the same market at the same time, and what would make them agree.

Two honest sources of one market differ by rounding, by a bar that was still open, or here and there by a
repair of the exchange's. Where many common bars differ by more than that, one of the two is shifted in time,
is of another market, or counts in other units; a model trained on both would learn from the future or from
the seam, so the series is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from common.protocol.reports import Finding
from common.timeframes import Timeframe
from trainer.candles import findings
from trainer.candles.arrays import FloatArray, IntArray
from trainer.candles.bars import CLOSE, HIGH, LOW, OPEN, VOLUME, Bars, largest_difference

EQUAL = 1e-9
"""Relative difference up to which two numbers are the same; sums in another order differ by less."""

APART = 0.25
"""Prices that differ by more than this share of the usual range of a bar are of another moment or market;
other digits and two exchanges' prices of a moment are closer."""

OTHER_VOLUME = 0.25
"""Volumes of a bar that differ by more than this share are not of the same trades or not of the same unit."""

MANY_SHARE = 0.1
"""From this share of the common bars on, differences are no accident."""

MANY_BARS = 3
"""Fewer bars prove nothing: the first or last bar of a file is often cut or unfinished."""

FARTHEST_MS = 14 * 3_600_000
"""No clock of the world is further than this from UTC."""

HOUR_MS = 3_600_000
QUARTER_MS = 15 * 60_000
"""Time zones differ by whole quarters of an hour."""

SEARCHED_BARS = 5000
"""So many of the newest bars in common are enough to find a shift."""

FOUND_SHARE = 0.9
"""A shift explains a disagreement if it makes this share of the bars agree."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Side:
    """One of two sources that are compared.

    `name` is how it is called; `bars` are ascending; `made_of` are the bars of `source_timeframe` that they
    were put together from, in which a shift by less than a bar can be found, or the same bars.
    """

    name: str
    bars: Bars
    made_of: Bars
    source_timeframe: Timeframe


def compared(
    timeframe: Timeframe,
    open_time: IntArray,
    difference: FloatArray,
    ours: str,
    theirs: str,
    kept: str = "the first-named is used",
) -> Finding:
    """Report whether two sources agree on the bars that both have.

    Parameters
    ----------
    timeframe : Timeframe
        What the bars are of.
    open_time : ndarray of int64, shape (n,)
        Openings of the common bars in milliseconds since the epoch, ascending; n > 0.
    difference : ndarray of float64, shape (n,)
        Largest relative difference of each.
    ours, theirs : str
        The source that is used, and the one that is compared with it.
    kept : str
        Which of two different bars is used.
    """
    rows = np.flatnonzero(difference > EQUAL)
    if not len(rows):
        return findings.overlap(timeframe, len(open_time), int(open_time[0]), ours, theirs)
    first_ms, largest = int(open_time[rows[0]]), float(difference.max())
    return findings.disagreement(timeframe, len(rows), len(open_time), first_ms, ours, theirs, largest, kept)


def disagreement(
    timeframe: Timeframe, ours: Side, theirs: Side, excused: IntArray, volumes: bool = True
) -> Finding | None:
    """Return the refusal of two sources that disagree on many of their common bars, or None.

    Parameters
    ----------
    timeframe : Timeframe
        What both have bars of.
    ours, theirs : Side
        The sources.
    excused : ndarray of int64
        Openings of common bars that do not count, since their difference is explained.
    volumes : bool
        Whether volumes are compared too.
    """
    times, mine, other = np.intersect1d(
        ours.bars.open_time, theirs.bars.open_time, assume_unique=True, return_indices=True
    )
    a, b = ours.bars.values[:, mine], theirs.bars.values[:, other]
    apart = _prices_apart(a, b, _usual_range(ours.bars))
    other_volume = _volumes_apart(a, b) if volumes else np.zeros(len(times), dtype=np.bool_)
    bad = (apart | other_volume) & ~np.isin(times, excused)
    count = int(bad.sum())
    if count < MANY_BARS or count < MANY_SHARE * len(times):
        return None
    shift = _shift(ours, theirs) if apart[bad].any() else ""
    if shift:
        why = (
            f"{shift} would agree: local time instead of UTC, or closing times instead of opening times? "
            "Write the times of both in UTC, or remove one of them"
        )
    elif not apart[bad].any():
        why = "only the volumes differ, so one is in another unit or of another exchange; keep one of the two"
    else:
        why = "no shift in time makes them agree, so one is of another market or damaged; keep one of the two"
    return findings.sources_disagree(
        timeframe,
        count,
        len(times),
        int(times[bad][0]),
        ours.name,
        theirs.name,
        float(largest_difference(a, b)[bad].max()),
        why,
    )


def _usual_range(bars: Bars) -> float:
    """Median of (high - low) / close of the bars that have one; what is usual for two bars to differ by."""
    ranges = (bars.values[HIGH] - bars.values[LOW]) / bars.values[CLOSE]
    moved = ranges[ranges > 0]
    return float(np.median(moved)) if len(moved) else 0.0


def _prices_apart(a: FloatArray, b: FloatArray, usual: float) -> Mask:
    limit = max(APART * usual, EQUAL)
    return np.asarray((np.abs(a[: CLOSE + 1] - b[: CLOSE + 1]) > limit * a[CLOSE]).any(axis=0))


def _volumes_apart(a: FloatArray, b: FloatArray) -> Mask:
    return np.asarray(np.abs(a[VOLUME] - b[VOLUME]) > OTHER_VOLUME * np.maximum(a[VOLUME], b[VOLUME]))


def _shift(ours: Side, theirs: Side) -> str:
    """Say which of both would agree if shifted: ``shifted by -3 hours, the native candles``; or nothing."""
    longer = ours.source_timeframe.seconds >= theirs.source_timeframe.seconds
    coarse, fine = (ours, theirs) if longer else (theirs, ours)
    step = max(fine.source_timeframe.milliseconds, QUARTER_MS)
    zones = np.arange(-(FARTHEST_MS // step), FARTHEST_MS // step + 1) * step
    bars = np.array([-1, 1]) * coarse.source_timeframe.milliseconds
    shorter = np.array([-1, 1]) * fine.source_timeframe.milliseconds
    by_share = sorted(
        ((_agreeing(coarse, fine, int(shift)), int(shift)) for shift in {*zones, *bars, *shorter} - {0}),
        key=lambda found: (-found[0], abs(found[1])),
    )
    # Of two lengths it is the coarser that is moved, of equal ones the second.
    equal = coarse.source_timeframe == fine.source_timeframe
    moved, sign = (fine, -1) if equal else (coarse, 1)
    (share, shift), (second_share, second) = by_share[0], by_share[1]
    by = f"shifted by {_signed(sign * shift)}"
    if share >= FOUND_SHARE:
        return f"{by}, {moved.name}"
    if abs(shift - second) == HOUR_MS and share + second_share >= FOUND_SHARE:
        return f"{by} in one part of the year and by {_signed(sign * second)} in the other, {moved.name}"
    return ""


def _agreeing(coarse: Side, fine: Side, shift: int) -> float:
    """Share of the coarse bars that open and close as the fine ones do that are `shift` ms later."""
    times = coarse.made_of.open_time
    inside = (times >= fine.made_of.open_time[0] - shift) & (times <= fine.made_of.open_time[-1] - shift)
    bars = coarse.made_of.take(np.flatnonzero(inside)[-SEARCHED_BARS:])
    inner = coarse.source_timeframe.milliseconds - fine.source_timeframe.milliseconds
    first, last = (
        _rows(fine.made_of, bars.open_time + shift),
        _rows(fine.made_of, bars.open_time + inner + shift),
    )
    both = (first >= 0) & (last >= 0)
    if both.sum() < max(MANY_BARS, len(bars) / 2):
        return 0.0
    prices = bars.values[:, both]
    limit = max(APART * _usual_range(bars), EQUAL) * prices[CLOSE]
    agree = np.abs(fine.made_of.values[OPEN, first[both]] - prices[OPEN]) <= limit
    agree &= np.abs(fine.made_of.values[CLOSE, last[both]] - prices[CLOSE]) <= limit
    return float(agree.mean())


def _rows(bars: Bars, times: IntArray) -> IntArray:
    rows = np.searchsorted(bars.open_time, times)
    rows = np.minimum(rows, len(bars) - 1)
    return np.where(bars.open_time[rows] == times, rows, -1)


def _signed(milliseconds: int) -> str:
    sign = "+" if milliseconds > 0 else "-"
    return f"{sign}{findings.duration(abs(milliseconds))}"
