"""Whether bars that are each possible are, taken together, those of a market.

A testnet, a mixture of two markets in one file or times that were put in the wrong order give bars that pass
one by one. Together they show moves that no market makes for long. Bounds stand far outside of what real
candles do: of 3.3 million bars of six coins at most 1.2 % of any series move as far as
`FAR`, and at most 0.01 % open so far from the last close.
"""

from __future__ import annotations

import numpy as np

from common.protocol.reports import Finding
from common.timeframes import Timeframe
from trainer.candles import findings
from trainer.candles.arrays import BoolArray, FloatArray, IntArray
from trainer.candles.bars import CLOSE, OPEN, Bars

FAR, LEAST_FAR = 0.05, 0.01
"""A move as large within an hour is far; for other bars by the square root of time, at least 1 %."""

VOLATILE_SHARE = 0.03
"""From this share of far moves on they are reported."""

FAR_OPEN_SHARE = 0.01
"""From this share of far opens on they are reported."""

REFUSED_SHARE = 0.1
"""From this share on far opens are refused, and far moves that come back at once."""

COMES_BACK = -0.3
"""Correlation of a return with the next one below which moves come back: prices jump between two levels."""

LEAST_BARS = 100
"""Of fewer neighbours shares say little."""


def implausible(bars: Bars, timeframe: Timeframe) -> list[Finding]:
    """Judge bars by their moves; a finding whose action is ``refused`` says that they must not be used.

    Parameters
    ----------
    bars : Bars
        Strictly ascending, each possible by itself. Only neighbours without a gap are compared.
    timeframe : Timeframe
        What they are bars of.
    """
    next_to = np.diff(bars.open_time) == timeframe.milliseconds
    neighbours = int(next_to.sum())
    if neighbours < LEAST_BARS:
        return []
    far = max(FAR * float(np.sqrt(timeframe.seconds / 3600)), LEAST_FAR)
    close, opened = bars.values[CLOSE], bars.values[OPEN]
    found: list[Finding] = []
    opens = np.flatnonzero(next_to & _beyond(opened[1:] / close[:-1], far)) + 1
    if len(opens) >= FAR_OPEN_SHARE * neighbours:
        refused = len(opens) >= REFUSED_SHARE * neighbours
        first_ms = int(bars.open_time[opens[0]])
        found.append(findings.far_opens(timeframe, len(opens), neighbours, first_ms, far, refused))
    moves = np.flatnonzero(next_to & _beyond(close[1:] / close[:-1], far)) + 1
    share = len(moves) / neighbours
    if share >= VOLATILE_SHARE:
        refused = share >= REFUSED_SHARE and _correlation(close, np.flatnonzero(next_to)) < COMES_BACK
        first_ms = int(bars.open_time[moves[0]])
        found.append(findings.volatile(timeframe, len(moves), neighbours, first_ms, far, refused))
    return found


def _beyond(ratio: FloatArray, far: float) -> BoolArray:
    """Whether the logarithm of a ratio is beyond +-`far`; the ratios are lost."""
    np.log(ratio, out=ratio)
    np.abs(ratio, out=ratio)
    return np.asarray(ratio > far)


def _correlation(close: FloatArray, next_to: IntArray) -> float:
    """Correlation of each return with the one after it."""
    returns = np.log(close[next_to + 1] / close[next_to])
    pairs = np.flatnonzero(np.diff(next_to) == 1)
    if len(pairs) < LEAST_BARS or returns.std() == 0:
        return 0.0
    return float(np.corrcoef(returns[pairs], returns[pairs + 1])[0, 1])
