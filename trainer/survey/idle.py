"""Minutes without a trade, by all that a symbol's candles tell: the coarser ones know what was traded.

The bars themselves only tell how holes lie (`trainer.survey.holes`). Where coarser candles of the same time
are there, they settle it: if nothing was traded in the absent minutes, those that are there have all the
volume; if the minutes were lost, their volume is lacking.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from common.protocol.reports import Finding
from common.settings.sections import SurveyPolicy
from common.timeframes import Timeframe
from trainer.candles import findings
from trainer.candles.bars import VOLUME
from trainer.survey.holes import filled_idle
from trainer.survey.repair import NativeSeries
from trainer.survey.resample import NONE, resampled

ENOUGH_BARS = 10
"""Fewer coarser bars prove nothing."""

ROUNDING = 0.001
"""Volumes that differ by less are equal: the digits that a source writes are not more exact."""

EXPLAINED = 0.1
"""Lost minutes explain what volume lacks if it lies so close to their share, in units of what is left."""


def settled(
    native: Mapping[Timeframe, NativeSeries], policy: SurveyPolicy
) -> tuple[dict[Timeframe, NativeSeries], list[Finding]]:
    """Take back what coarser candles refute, report the rest, and fill it where the policy says so.

    Parameters
    ----------
    native : mapping of NativeSeries
        After repair, each with the absent bars that by its own bars were without a trade.
    policy : SurveyPolicy
        `missing` says whether bars are put in.

    Returns
    -------
    native : dict of NativeSeries
        The same, in the same order.
    found : list of Finding
        How many absent bars were taken for times without a trade.
    """
    series: dict[Timeframe, NativeSeries] = {}
    found: list[Finding] = []
    for timeframe, one in native.items():
        idle = one.idle
        others = [other for other in native.values() if timeframe.divides(other.timeframe)]
        if len(idle) and any(_refuted(one, other) for other in others if not other.refusal):
            idle = NONE
        filled = policy.missing == "no_trade" and len(idle) > 0
        if len(idle):
            found.append(findings.no_trade(timeframe, len(idle), int(idle[0]), filled))
        bars = filled_idle(one.bars, idle) if filled else one.bars
        series[timeframe] = replace(one, bars=bars, idle=NONE if filled else idle)
    return series, found


def _refuted(fine: NativeSeries, coarse: NativeSeries) -> bool:
    """Whether coarser bars have the volume that the absent ones would have had, had they not been lost."""
    length, due = coarse.timeframe.milliseconds, coarse.timeframe.seconds // fine.timeframe.seconds
    made, complete = resampled(fine.bars, fine.timeframe.milliseconds, length, 0.0, fine.idle)
    made = made.take(complete)
    quiet, absent = np.unique(fine.idle // length * length, return_counts=True)
    of_quiet = np.isin(quiet, made.open_time) & np.isin(quiet, coarse.bars.open_time)
    quiet, absent = quiet[of_quiet], absent[of_quiet]
    of_made = np.searchsorted(made.open_time, quiet)
    of_coarse = np.searchsorted(coarse.bars.open_time, quiet)
    whole = coarse.bars.values[VOLUME, of_coarse]
    traded = whole > 0
    if traded.sum() < ENOUGH_BARS:
        return False
    there = made.values[VOLUME, of_made][traded] / whole[traded]
    if float(np.median(there)) >= 1 - ROUNDING:
        return False
    expected = 1 - absent[traded] / due
    return abs(float(np.median(there / expected)) - 1) < EXPLAINED
