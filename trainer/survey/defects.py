"""Bars that no market is known to have made or no model can use, and levels that are only reported.

A bound stands where no market is known to have come near it, because a true bar that is dropped is lost to
the model, and a false one that is kept is reported. What markets did do, and is therefore kept: a sale into
an empty book takes the low of a bar to the smallest price that can be written (a factor of 3,000 on more
than one exchange), a purchase takes the high up by a factor of two million, a coin loses all but a hundred
thousandth within days, an asset comes back after a halt as another one under the same name, and where only
dust is traded a purchase of twenty coins is a thousand million times that.

Hence a single price far off is no proof. A whole bar is none either: where nobody else trades, one trade at a
thousandth of the price is all of its bar, and true. Such a bar is dropped all the same, when the bars on both
sides agree with each other: it looks just like a wrong decimal point, and a feature or label of a price
at which nothing was traded before or after would mislead a model even if it is true. The findings count it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from common.protocol.reports import Finding
from common.timeframes import Timeframe
from trainer.candles import findings
from trainer.candles.arrays import FloatArray
from trainer.candles.bars import CLOSE, HIGH, LOW, OPEN, QUOTE_VOLUME, VOLUME, Bars

Mask = npt.NDArray[np.bool_]

PRICES = (1e-18, 1e15)
"""Least and greatest price. Coins are divided into 1e18 parts at most; a bitcoin is 1e11 of any money."""

LARGEST_VOLUME = 1e24
"""Greatest volume and quote volume of a bar, more than all money in the smallest unit of any currency."""

LARGEST_RANGE = 1e9
"""Greatest high of a bar in units of its low; from a bitcoin's price to the smallest step of it is 1e7."""

BURST = 1e9
"""A volume of so many times the median is reported and kept: where only dust is traded they exist."""

LARGEST_BURST = 1e12
"""Greatest volume of a bar in units of the median. A greater one may be true, but the features have sums that
run over the bars after it, and lose the volumes of these to rounding: at 1e15 it shows in the features."""

WIDE = 1e3
"""A bar whose high is so many times its low is reported, and kept: there were such bars."""

LEAP = 10.0
"""A bar that lies by such a factor above or below all of the bar before it is reported, and kept."""

SPIKE = 1e3
"""A bar by such a factor above or below all of both neighbours, which agree within `LEAP`, is dropped. It may
be a true one of a single trade: see above."""

SPIKE_BARS = 10
"""So many bars in a row are taken for a spike at most; what lasts longer is another level."""


def impossible(bars: Bars, timeframe: Timeframe) -> tuple[Mask, list[Finding]]:
    """Find bars that are impossible by themselves, in whatever order they are, and bursts of volume.

    Parameters
    ----------
    bars : Bars
        As they were read.
    timeframe : Timeframe
        What they are bars of.

    Returns
    -------
    rows : ndarray of bool, shape (n,)
        Bars that have to go.
    findings : list of Finding
        One for each kind of defect; a bar with several counts for the first. Then bursts, which are kept.
    """
    median = _median(bars.values[VOLUME])
    largest_volume = min(LARGEST_VOLUME, LARGEST_BURST * median)
    offsets = bars.open_time % timeframe.milliseconds
    found: list[Finding] = []
    defective: Mask = np.zeros(len(bars), dtype=np.bool_)
    if not _all_possible(bars.values, largest_volume):
        defective, found = _defective(bars, timeframe, largest_volume)
    rows = np.flatnonzero((offsets != 0) & ~defective)
    if len(rows):
        common = int(offsets[rows[0]]) if (offsets[rows] == offsets[rows[0]]).all() else None
        found.append(findings.off_grid(timeframe, len(rows), int(bars.open_time[rows].min()), common))
        defective |= offsets != 0
    bursts = np.flatnonzero((bars.values[VOLUME] > BURST * median) & ~defective)
    if len(bursts):
        found.append(_burst(timeframe, len(bursts), int(bars.open_time[bursts].min())))
    return defective, found


def _all_possible(values: FloatArray, largest_volume: float) -> bool:
    """Whether no bar is impossible, as is usual, which takes no table of the size of the bars to tell."""
    if not values.size:
        return True
    opened, high, low, close, volume, _ = values
    # None of these holds for what is no number.
    least, most = values[: CLOSE + 1].min(), values[: CLOSE + 1].max()
    return bool(
        PRICES[0] <= least
        and most <= min(PRICES[1], LARGEST_RANGE * least)
        and volume.min() >= 0
        and volume.max() <= largest_volume
        and all((low <= price).all() and (price <= high).all() for price in (opened, close))
    )


def _defective(bars: Bars, timeframe: Timeframe, largest_volume: float) -> tuple[Mask, list[Finding]]:
    prices, volume = bars.values[: CLOSE + 1], bars.values[VOLUME]
    # No number in a bar's prices makes both of these none, so nothing else has to be looked through for it.
    highest, lowest = prices.max(axis=0), prices.min(axis=0)
    with np.errstate(invalid="ignore", over="ignore"):
        kinds = (
            (
                "non_finite",
                "a price or volume that is no number",
                ~(np.isfinite(highest) & np.isfinite(lowest) & np.isfinite(volume)),
            ),
            ("non_positive", "a price that is not above zero", lowest <= 0),
            ("negative_volume", "a negative volume", volume < 0),
            (
                "out_of_range",
                f"a price that is not between {PRICES[0]:g} and {PRICES[1]:g}, or a volume above "
                f"{LARGEST_VOLUME:g} or {LARGEST_BURST:g} times the median",
                (lowest < PRICES[0]) | (highest > PRICES[1]) | (volume > largest_volume),
            ),
            (
                "open_outside",
                "an open outside of low to high",
                _outside(bars.values[OPEN], bars) & ~_outside(bars.values[CLOSE], bars),
            ),
            (
                "high_low",
                "a high below or a low above another of their prices",
                (bars.values[HIGH] < highest) | (bars.values[LOW] > lowest),
            ),
            (
                "impossible_range",
                f"a high of more than {LARGEST_RANGE:g} times their low",
                highest > LARGEST_RANGE * lowest,
            ),
        )
    found: list[Finding] = []
    defective = np.zeros(len(bars), dtype=np.bool_)
    for defect, words, mask in kinds:
        rows = np.flatnonzero(mask & ~defective)
        if len(rows):
            first_ms = int(bars.open_time[rows].min())
            found.append(findings.impossible(timeframe, defect, words, len(rows), first_ms))
            defective |= mask
    return defective, found


def spikes(bars: Bars, timeframe: Timeframe) -> tuple[Mask, list[Finding]]:
    """Find bars that cannot be trusted between their neighbours, and jumps that should be looked at.

    Parameters
    ----------
    bars : Bars
        Strictly ascending, each possible by itself.
    timeframe : Timeframe
        What they are bars of.

    Returns
    -------
    rows : ndarray of bool, shape (n,)
        Bars that have to go.
    findings : list of Finding
        Spikes that are dropped, then what is kept: jumps to another level, and bars of a very wide range.
    """
    high, low = bars.values[HIGH], bars.values[LOW]
    spiked = np.zeros(len(bars), dtype=np.bool_)
    jumps: list[int] = []
    resume = 0
    leaps = np.flatnonzero(_apart(high[:-1], low[:-1], high[1:], low[1:], LEAP)) + 1
    for row in leaps.tolist():
        if row <= resume:
            continue
        following = slice(row, row + SPIKE_BARS + 1)
        before = (high[row - 1], low[row - 1])
        back = ~_apart(*before, high[following], low[following], LEAP)
        length = int(back.argmax())
        if not length:
            jumps.append(row)
            continue
        resume = row + length
        island = slice(row, resume)
        after = (high[resume], low[resume])
        far = _apart(*before, high[island], low[island], SPIKE)
        far &= _apart(*after, high[island], low[island], SPIKE)
        spiked[island] = far
        if not far.all():
            jumps.append(row)
    found: list[Finding] = []
    if spiked.any():
        words = f"all prices {SPIKE:,.0f} times above or below those of the bars before and after"
        first_ms = int(bars.open_time[spiked.argmax()])
        found.append(findings.impossible(timeframe, "spike", words, int(spiked.sum()), first_ms))
    if jumps:
        closes = bars.values[CLOSE, [jumps[0] - 1, jumps[0]]].tolist()
        first_ms = int(bars.open_time[jumps[0]])
        found.append(findings.jumps(timeframe, len(jumps), first_ms, closes[0], closes[1], LEAP))
    wide = np.flatnonzero((high > WIDE * low) & ~spiked)
    if len(wide):
        found.append(findings.wide(timeframe, len(wide), int(bars.open_time[wide[0]]), WIDE))
    return spiked, found


def without_bad_turnover(bars: Bars, timeframe: Timeframe) -> tuple[Bars, list[Finding]]:
    """Take out quote volumes that cannot be true, so that volume x close counts instead; the bars stay.

    Parameters
    ----------
    bars : Bars
        Possible in all else; not changed.
    timeframe : Timeframe
        What they are bars of.
    """
    quote = bars.values[QUOTE_VOLUME]
    bad = np.flatnonzero((quote < 0) | (quote > LARGEST_VOLUME))
    if not len(bad):
        return bars, []
    values = bars.values.copy()
    values[QUOTE_VOLUME, bad] = np.nan
    first_ms = int(bars.open_time[bad].min())
    return Bars(bars.open_time, values), [findings.bad_turnover(timeframe, len(bad), first_ms)]


def empty(bars: Bars) -> Mask:
    """Whether a row only says that nothing was traded: no volume, and no price or 0 for all four."""
    prices, volume = bars.values[: CLOSE + 1], bars.values[VOLUME]
    still: Mask = np.isnan(volume) | (volume == 0)
    if not still.any():
        return still
    return np.asarray(still & (np.isnan(prices) | (prices == 0)).all(axis=0))


def _outside(price: FloatArray, bars: Bars) -> Mask:
    low, high = bars.values[LOW], bars.values[HIGH]
    return np.asarray((low <= high) & ((price < low) | (price > high)))


def _median(volume: FloatArray) -> float:
    """Median of the bars in which something was traded; infinite where none is beyond a multiple of it."""
    traded = volume[(volume > 0) & np.isfinite(volume)]
    # To find the least and the greatest takes a tenth of the time.
    if not len(traded) or traded.max() <= BURST * traded.min():
        return np.inf
    return float(np.median(traded))


def _burst(timeframe: Timeframe, count: int, first_ms: int) -> Finding:
    first = findings.moment(first_ms)
    detail = (
        f"{findings.counted(count, 'bar')} with a volume of more than {BURST:g} times the median "
        f"{'was' if count == 1 else 'were'} kept, first {first}. It may be a market in which hardly anything "
        "is traded, or a volume in another unit."
    )
    return Finding(
        defect="volume_burst", timeframe=timeframe, count=count, action="kept", first=first, detail=detail
    )


def _apart(
    high: FloatArray, low: FloatArray, other_high: FloatArray, other_low: FloatArray, factor: float
) -> Mask:
    """Whether all of one bar is by a factor above or below all of the other."""
    return np.asarray((other_low >= factor * high) | (other_high * factor <= low))
