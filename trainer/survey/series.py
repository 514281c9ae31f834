"""The series that a timeframe is trained on: native candles, and what they lack from finer ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from common.protocol.reports import Finding, SeriesReport, Span
from common.settings.sections import SurveyPolicy
from common.timeframes import Timeframe
from trainer.candles import findings
from trainer.candles.bars import VOLUME, Bars, largest_difference
from trainer.candles.candles import COLUMNS, Candles
from trainer.survey.repair import NativeSeries, compared
from trainer.survey.resample import resampled

DAY_MS = 86_400_000
NO_BARS = Bars.joined([])


@dataclass(frozen=True)
class _Candidate:
    label: str
    native: bool
    bars: Bars
    complete: Bars


def assembled(
    symbol: str,
    timeframe: Timeframe,
    native: Mapping[Timeframe, NativeSeries],
    policy: SurveyPolicy,
    synthetic: bool,
) -> tuple[SeriesReport, Candles | None, list[Finding]]:
    """Put the series of one timeframe together.

    Native candles are used where they exist; bars that they lack are resampled from the finest candles that
    have them. Where native candles and complete resampled bars cover the same bar they are compared.

    Parameters
    ----------
    symbol, timeframe : Timeframe
        What is to be trained.
    native : mapping of NativeSeries
        What was found, by timeframe, after repair; a refused series is not used.
    policy : SurveyPolicy
        `max_bar_missing_share` and `max_missing_share` decide over bars and over the series.
    synthetic : bool
        Whether any source of the symbol was simulated.

    Returns
    -------
    report : SeriesReport
        With `refusal` where the timeframe cannot be trained.
    candles : Candles or None
        The series, None where it was refused.
    findings : list of Finding
        Disagreements between sources, what was filled, and gaps.
    """
    candidates = _candidates(timeframe, native, policy)
    if not candidates:
        refusal = _nothing_usable(symbol, timeframe, native)
        return _report(timeframe, "none", NO_BARS, 0, None, refusal), None, []
    bars, source, found = _merged(timeframe, candidates)
    why = "" if candidates[0].native else _completeness(candidates[0].label, policy)
    if not len(bars):
        return (
            _report(timeframe, source, bars, 0, None, f"{symbol} {timeframe}: no bar is left; {why}"),
            None,
            found,
        )

    interval = timeframe.milliseconds
    expected = int(bars.open_time[-1] - bars.open_time[0]) // interval + 1
    missing = expected - len(bars)
    if missing:
        found.append(_gaps(timeframe, bars, interval, missing, expected, why))
    if missing > policy.max_missing_share * expected:
        share, allowed = findings.percent(missing / expected), findings.percent(policy.max_missing_share)
        refusal = (
            f"{missing:,} of {findings.counted(expected, 'bar')} ({share}) are missing, "
            f"{_longest_gap(bars, interval)}; max_missing_share allows {allowed}"
        )
        first_ms = int(bars.open_time[0])
        found.append(findings.refused(timeframe, "missing_share", missing, first_ms, f"{refusal}."))
        refusal = f"{symbol} {timeframe}: {refusal}{f' ({why})' if why else ''}"
        return _report(timeframe, source, bars, missing, None, refusal), None, found

    columns = {"open_time": bars.open_time, **dict(zip(COLUMNS[1:], bars.values[: VOLUME + 1], strict=True))}
    candles = Candles.of(symbol, timeframe, columns, synthetic)
    return _report(timeframe, source, bars, missing, candles, ""), candles, found


def _candidates(
    timeframe: Timeframe, native: Mapping[Timeframe, NativeSeries], policy: SurveyPolicy
) -> list[_Candidate]:
    usable = {name: series.bars for name, series in native.items() if not series.refusal and len(series.bars)}
    candidates: list[_Candidate] = []
    if timeframe in usable:
        candidates.append(_Candidate("native", True, usable[timeframe], usable[timeframe]))
    for finer in Timeframe:
        if finer in usable and finer.divides(timeframe):
            bars, complete = resampled(
                usable[finer], finer.milliseconds, timeframe.milliseconds, policy.max_bar_missing_share
            )
            candidates.append(_Candidate(finer, False, bars, bars.take(complete)))
    return candidates


def _merged(timeframe: Timeframe, candidates: list[_Candidate]) -> tuple[Bars, str, list[Finding]]:
    first = candidates[0]
    bars, trusted = first.bars, first
    used = ["native" if first.native else f"resampled from {first.label}"]
    found: list[Finding] = []
    for other in candidates[1:]:
        _, mine, theirs = np.intersect1d(
            trusted.complete.open_time, other.complete.open_time, assume_unique=True, return_indices=True
        )
        if len(mine):
            difference = largest_difference(
                trusted.complete.values[:, mine], other.complete.values[:, theirs]
            )
            finding = compared(
                timeframe,
                trusted.complete.open_time[mine],
                difference,
                _described(trusted),
                _described(other),
            )
            found += [finding] if finding.defect == "overlap_different" else []
        lacking = ~np.isin(other.bars.open_time, bars.open_time, assume_unique=True)
        if lacking.any():
            added = other.bars.take(lacking)
            first_ms = int(added.open_time[0])
            found.append(findings.filled(timeframe, len(added), first_ms, _described(first), other.label))
            bars = Bars.joined([bars, added])
            bars = bars.take(np.argsort(bars.open_time, kind="stable"))
            used.append(f"resampled from {other.label}")
    return bars, " and ".join(used), found


def _described(candidate: _Candidate) -> str:
    return "the native candles" if candidate.native else f"those resampled from {candidate.label}"


def _nothing_usable(symbol: str, timeframe: Timeframe, native: Mapping[Timeframe, NativeSeries]) -> str:
    damaged = [
        f"the {name} candles were refused: {series.refusal}"
        if series.refusal
        else f"the {name} file has no bar left"
        for name, series in native.items()
        if name is timeframe or name.divides(timeframe)
    ]
    if damaged:
        return f"{symbol} {timeframe}: {'; '.join(damaged)}"
    finest = min(native, key=lambda name: name.seconds)
    if finest.seconds > timeframe.seconds:
        return f"{symbol}: no candles fine enough for {timeframe}; the finest found are {finest}"
    found = ", ".join(name for name in Timeframe if name in native)
    return f"{symbol}: no candles that add up to {timeframe}; found are {found}"


def _report(
    timeframe: Timeframe, source: str, bars: Bars, missing: int, candles: Candles | None, refusal: str
) -> SeriesReport:
    interval = timeframe.milliseconds
    return SeriesReport(
        timeframe=timeframe,
        source=source,
        rows=len(bars),
        span=_span(bars, interval) if len(bars) else None,
        digest=candles.digest if candles else "",
        missing=missing,
        segments=int((np.diff(bars.open_time) != interval).sum()) + 1 if len(bars) else 0,
        quote_volume_per_day=_turnover_per_day(bars, interval) if len(bars) else 0.0,
        refusal=refusal,
    )


def _gaps(timeframe: Timeframe, bars: Bars, interval: int, missing: int, expected: int, why: str) -> Finding:
    steps = np.diff(bars.open_time) // interval
    rows = np.flatnonzero(steps > 1)
    openings = bars.open_time[rows] + interval
    return findings.gaps(timeframe, missing, expected, openings.tolist(), (steps[rows] - 1).tolist(), why)


def _longest_gap(bars: Bars, interval: int) -> str:
    steps = np.diff(bars.open_time)
    row = int(steps.argmax())
    first_ms = int(bars.open_time[row]) + interval
    return f"{int(steps[row]) // interval - 1:,} of them in a row from {findings.moment(first_ms)}"


def _completeness(finer: str, policy: SurveyPolicy) -> str:
    if policy.max_bar_missing_share:
        share = findings.percent(policy.max_bar_missing_share)
        return f"a bar may lack {share} of its {finer} candles, as max_bar_missing_share says"
    return f"a bar needs all its {finer} candles, as max_bar_missing_share is 0"


def _span(bars: Bars, interval: int) -> Span:
    start, end = int(bars.open_time[0]), int(bars.open_time[-1]) + interval
    return Span(start=datetime.fromtimestamp(start / 1000, UTC), end=datetime.fromtimestamp(end / 1000, UTC))


def _turnover_per_day(bars: Bars, interval: int) -> float:
    days = (int(bars.open_time[-1]) - int(bars.open_time[0]) + interval) / DAY_MS
    return bars.turnover / days
