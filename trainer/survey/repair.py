"""Repair of native candles: which rows are dropped, and when a series is refused.

In this order: impossible bars and bars off the grid are dropped; the rest is sorted; of repeated bars the
finished one stays, or the one written later; bars that are impossible between their neighbours are dropped;
the newest bar goes if it was not finished. Bars without volume stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from common.protocol.reports import Finding
from common.settings.sections import SurveyPolicy
from common.timeframes import Timeframe
from trainer.candles import findings
from trainer.candles.arrays import IntArray
from trainer.candles.bars import VOLUME, Bars
from trainer.sources.files import Source
from trainer.survey import defects
from trainer.survey.holes import idle_times
from trainer.survey.plausibility import implausible
from trainer.survey.repeats import repeats
from trainer.survey.resample import NONE

THIN_SHARE = 0.02
"""A newest bar with less than this share of the usual volume, and less than any, had just opened."""

USUAL_BARS = 60
"""How many bars before the newest show what volume is usual; at least a third of them are needed."""


@dataclass(frozen=True, eq=False)
class NativeSeries:
    """The native candles of one timeframe after repair.

    `bars` are strictly ascending, on the grid and possible; `refusal` says why they must not be used, or is
    empty. `idle` are the openings of absent bars in which nothing was traded, as far as these bars tell.
    """

    timeframe: Timeframe
    bars: Bars
    refusal: str
    idle: IntArray


def repaired(
    sources: Sequence[Source], timeframe: Timeframe, policy: SurveyPolicy
) -> tuple[NativeSeries, list[Finding]]:
    """Put the sources of one timeframe together, and repair or refuse the result.

    Parameters
    ----------
    sources : sequence of Source
        At least one, in the order of their names.
    timeframe : Timeframe
        What they are candles of.
    policy : SurveyPolicy
        `max_defect_share` is the share of rows that may be impossible or off the grid.

    Returns
    -------
    series : NativeSeries
        The merged bars.
    findings : list of Finding
        Everything that was found and what was done about it.
    """
    found = [*_order(sources, timeframe), *_units(sources, timeframe)]
    bars = Bars.joined([source.bars for source in sources])
    origin = np.repeat(np.arange(len(sources)), [len(source.bars) for source in sources])
    absent = defects.empty(bars)
    if absent.any():
        first_ms = int(bars.open_time[absent].min())
        found.append(findings.empty_bars(timeframe, int(absent.sum()), first_ms))
        bars, origin = bars.take(~absent), origin[~absent]
    rows = len(bars)

    defective, of_defects = defects.impossible(bars, timeframe)
    found += of_defects
    times = bars.open_time[defective]
    if len(times):
        bars, origin = bars.take(~defective), origin[~defective]
    refused = _too_many(times, rows, of_defects, timeframe, policy)
    if refused:
        return NativeSeries(timeframe, bars, refused.detail.rstrip("."), NONE), [*found, refused]
    bars, of_turnover = defects.without_bad_turnover(bars, timeframe)
    found += of_turnover

    if not bars.ascending:
        order = np.argsort(bars.open_time, kind="stable")
        bars, origin = bars.take(order), origin[order]
    repeated, of_repeats, refusal = repeats(bars, origin, sources, timeframe, policy.max_defect_share)
    found += of_repeats
    if repeated.any():
        bars, origin = bars.take(~repeated), origin[~repeated]
    if refusal:
        return NativeSeries(timeframe, bars, refusal, NONE), found

    spiked, of_spikes = defects.spikes(bars, timeframe)
    found += of_spikes
    if spiked.any():
        times = np.concatenate([times, bars.open_time[spiked]])
        bars, origin = bars.take(~spiked), origin[~spiked]
        refused = _too_many(times, rows, [*of_defects, *of_spikes], timeframe, policy)
        if refused:
            return NativeSeries(timeframe, bars, refused.detail.rstrip("."), NONE), [*found, refused]

    of_moves = implausible(bars, timeframe)
    found += of_moves
    refusal = next((one.detail.rstrip(".") for one in of_moves if one.action == "refused"), "")
    if refusal:
        return NativeSeries(timeframe, bars, refusal, NONE), found

    unfinished = _unfinished(bars, sources[origin[-1]], timeframe) if len(bars) else None
    if unfinished:
        found.append(unfinished)
        bars = bars.take(slice(0, -1))
    empty = np.flatnonzero(bars.values[VOLUME] == 0)
    if len(empty):
        found.append(findings.zero_volume(timeframe, len(empty), len(bars), int(bars.open_time[empty[0]])))
    return NativeSeries(timeframe, bars, "", idle_times(bars, timeframe)), found


def _too_many(
    defective: npt.NDArray[np.int64],
    rows: int,
    kinds: Sequence[Finding],
    timeframe: Timeframe,
    policy: SurveyPolicy,
) -> Finding | None:
    count = len(defective)
    if count <= policy.max_defect_share * rows:
        return None
    first_ms = int(defective.min())
    named = ", ".join(f"{kind.count:,} {kind.defect}" for kind in kinds if kind.action == "dropped")
    detail = (
        f"{count:,} of {findings.counted(rows, 'bar')} ({findings.percent(count / rows)}) are impossible or "
        f"off the grid ({named}), first {findings.moment(first_ms)}; max_defect_share allows "
        f"{findings.percent(policy.max_defect_share)}."
    )
    return findings.refused(timeframe, "defect_share", count, first_ms, detail)


def _order(sources: Sequence[Source], timeframe: Timeframe) -> list[Finding]:
    places, files, first, newest_first = 0, 0, "", False
    for source in sources:
        backwards = int((np.diff(source.bars.open_time) < 0).sum())
        if backwards:
            if not files:
                first, newest_first = source.name, backwards == len(source.bars) - 1
            places, files = places + backwards, files + 1
    return [findings.unsorted(timeframe, places, files, first, newest_first)] if files else []


def _units(sources: Sequence[Source], timeframe: Timeframe) -> list[Finding]:
    units: frozenset[str] = frozenset()
    for source in sources:
        if units and source.units - units:
            return [findings.mixed_units(timeframe, source.name, units.union(*(s.units for s in sources)))]
        if len(source.units) > 1:
            return [findings.mixed_units(timeframe, source.name, source.units)]
        units |= source.units
    return []


def _unfinished(bars: Bars, source: Source, timeframe: Timeframe) -> Finding | None:
    open_ms = int(bars.open_time[-1])
    if open_ms <= source.mtime_ms < open_ms + timeframe.milliseconds:
        why = f"the file was written at {findings.moment(source.mtime_ms)}, before the bar closed"
        return findings.unfinished(timeframe, open_ms, source.name, why)
    usual = bars.values[VOLUME, -1 - USUAL_BARS : -1]
    if len(usual) >= USUAL_BARS // 3:
        volume, median = float(bars.values[VOLUME, -1]), float(np.median(usual))
        if volume < THIN_SHARE * median and volume < usual.min():
            share = findings.percent(volume / median)
            why = (
                f"its volume is {share} of the median of the {len(usual)} bars before, and below all of them"
            )
            return findings.unfinished(timeframe, open_ms, source.name, why)
    return None
