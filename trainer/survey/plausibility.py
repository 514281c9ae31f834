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
from trainer.candles.arrays import FloatArray, IntArray
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
    next_to = np.flatnonzero(np.diff(bars.open_time) == timeframe.milliseconds)
    if len(next_to) < LEAST_BARS:
        return []
    far = max(FAR * float(np.sqrt(timeframe.seconds / 3600)), LEAST_FAR)
    close, opened = bars.values[CLOSE], bars.values[OPEN]
    found: list[Finding] = []
    opens = next_to[np.abs(np.log(opened[next_to + 1] / close[next_to])) > far] + 1
    if len(opens) >= FAR_OPEN_SHARE * len(next_to):
        refused = len(opens) >= REFUSED_SHARE * len(next_to)
        first_ms = int(bars.open_time[opens[0]])
        found.append(findings.far_opens(timeframe, len(opens), len(next_to), first_ms, far, refused))
    returns = np.log(close[next_to + 1] / close[next_to])
    moves = next_to[np.abs(returns) > far] + 1
    share = len(moves) / len(next_to)
    if share >= VOLATILE_SHARE:
        refused = share >= REFUSED_SHARE and _correlation(returns, next_to) < COMES_BACK
        first_ms = int(bars.open_time[moves[0]])
        found.append(findings.volatile(timeframe, len(moves), len(next_to), first_ms, far, refused))
    return found


def _correlation(returns: FloatArray, next_to: IntArray) -> float:
    """Correlation of each return with the one after it."""
    pairs = np.flatnonzero(np.diff(next_to) == 1)
    if len(pairs) < LEAST_BARS or returns.std() == 0:
        return 0.0
    return float(np.corrcoef(returns[pairs], returns[pairs + 1])[0, 1])
