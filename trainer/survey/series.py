"""The series that a timeframe is trained on: native candles, and what they lack from finer ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations

import numpy as np

from common.protocol.reports import Finding, SeriesReport, Span
from common.settings.sections import SurveyPolicy
from common.timeframes import Timeframe
from trainer.candles import findings
from trainer.candles.arrays import IntArray
from trainer.candles.bars import VOLUME, Bars, largest_difference
from trainer.candles.candles import COLUMNS, Candles, lost_rows
from trainer.features.indicators import WARM_UP
from trainer.survey.agreement import Side, compared, disagreement
from trainer.survey.coverage import coverage
from trainer.survey.holes import missing_share, pieces
from trainer.survey.repair import NativeSeries
from trainer.survey.resample import resampled

DAY_MS = 86_400_000
NO_BARS = Bars.joined([])


@dataclass(frozen=True)
class _Candidate:
    label: str
    native: bool
    bars: Bars
    complete: Bars
    made_of: Bars
    source_timeframe: Timeframe
    exact: bool = True

    @property
    def described(self) -> str:
        return "the native candles" if self.native else f"those resampled from {self.label}"


def assembled(
    symbol: str,
    timeframe: Timeframe,
    native: Mapping[Timeframe, NativeSeries],
    policy: SurveyPolicy,
    synthetic: bool,
) -> tuple[SeriesReport, Candles | None, list[Finding]]:
    """Put the series of one timeframe together.

    Native candles are used where they exist; bars that they lack are resampled from the finest candles that
    have them. Where native candles and complete resampled bars tell of the same bar they are compared; where
    they disagree on many, the timeframe is refused.

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
    refused = _disagreement(timeframe, candidates)
    if refused:
        refusal = f"{symbol} {timeframe}: {refused.detail.rstrip('.')}"
        return _report(timeframe, "none", NO_BARS, 0, None, refusal), None, [refused]
    bars, source, found = _merged(timeframe, candidates)
    why = "" if candidates[0].native else _completeness(candidates[0].label, policy)
    if not len(bars):
        refusal = f"{symbol} {timeframe}: no bar is left; {why}"
        return _report(timeframe, source, bars, 0, None, refusal), None, found

    interval = timeframe.milliseconds
    judged, of_spans = _judged(timeframe, bars, candidates, policy.max_missing_share)
    whole = bars if not len(judged) else judged
    expected = int(whole.open_time[-1] - whole.open_time[0]) // interval + 1
    missing = expected - len(whole)
    if missing:
        found.append(_gaps(timeframe, whole, interval, missing, expected, why))
    if not len(judged):
        idle = len(native[timeframe].idle) if timeframe in native else 0
        detail = _too_sparse(bars, interval, policy, idle)
        found.append(
            findings.refused(timeframe, "missing_share", missing, int(bars.open_time[0]), f"{detail}.")
        )
        refusal = f"{symbol} {timeframe}: {detail}{f' ({why})' if why else ''}"
        return _report(timeframe, source, bars, missing, None, refusal), None, found
    found += of_spans
    bars = judged

    columns = {"open_time": bars.open_time, **dict(zip(COLUMNS[1:], bars.values[: VOLUME + 1], strict=True))}
    candles = Candles.of(symbol, timeframe, columns, synthetic)
    return _report(timeframe, source, bars, missing, candles, ""), candles, found


def _candidates(
    timeframe: Timeframe, native: Mapping[Timeframe, NativeSeries], policy: SurveyPolicy
) -> list[_Candidate]:
    usable = {name: series.bars for name, series in native.items() if not series.refusal and len(series.bars)}
    candidates: list[_Candidate] = []
    if timeframe in usable:
        own = usable[timeframe]
        candidates.append(_Candidate("native", True, own, own, own, timeframe))
    for finer in Timeframe:
        if finer in usable and finer.divides(timeframe):
            idle = native[finer].idle
            bars, complete = resampled(
                usable[finer], finer.milliseconds, timeframe.milliseconds, policy.max_bar_missing_share, idle
            )
            exact = not len(idle)
            candidates.append(
                _Candidate(finer, False, bars, bars.take(complete), usable[finer], finer, exact)
            )
    return candidates


def _disagreement(timeframe: Timeframe, candidates: list[_Candidate]) -> Finding | None:
    nothing = np.empty(0, dtype=np.int64)
    for ours, theirs in combinations(candidates, 2):
        sides = [
            Side(one.described, one.complete, one.made_of, one.source_timeframe) for one in (ours, theirs)
        ]
        refused = disagreement(timeframe, sides[0], sides[1], nothing, ours.exact and theirs.exact)
        if refused:
            return refused
    return None


def _merged(timeframe: Timeframe, candidates: list[_Candidate]) -> tuple[Bars, str, list[Finding]]:
    """Take each bar from the first candidate that has it complete, else from the first that has it at all."""
    first = candidates[0]
    found = [finding for other in candidates[1:] for finding in _differences(timeframe, first, other)]
    bars = first.complete
    counts = [len(bars), *(0 for _ in candidates[1:])]
    first_ms = [0 for _ in candidates]
    for complete in (True, False):
        for place, one in enumerate(candidates):
            offered = one.complete if complete else one.bars
            if offered is bars or (not complete and len(offered) == len(one.complete)):
                continue
            lacking = ~np.isin(offered.open_time, bars.open_time, assume_unique=True)
            if lacking.any():
                added = offered.take(lacking)
                first_ms[place] = min(first_ms[place] or int(added.open_time[0]), int(added.open_time[0]))
                counts[place] += len(added)
                joined = Bars.joined([bars, added])
                bars = joined.take(np.argsort(joined.open_time, kind="stable"))
    used = ["native" if first.native else f"resampled from {first.label}"]
    for one, count, opening in zip(candidates[1:], counts[1:], first_ms[1:], strict=True):
        if count:
            found.append(findings.filled(timeframe, count, opening, first.described, one.label))
            used.append(f"resampled from {one.label}")
    return bars, " and ".join(used), found


def _differences(timeframe: Timeframe, ours: _Candidate, theirs: _Candidate) -> list[Finding]:
    _, mine, other = np.intersect1d(
        ours.complete.open_time, theirs.complete.open_time, assume_unique=True, return_indices=True
    )
    if not len(mine):
        return []
    difference = largest_difference(ours.complete.values[:, mine], theirs.complete.values[:, other])
    times = ours.complete.open_time[mine]
    finding = compared(timeframe, times, difference, ours.described, theirs.described)
    return [finding] if finding.defect == "overlap_different" else []


def _judged(
    timeframe: Timeframe, bars: Bars, candidates: list[_Candidate], max_share: float
) -> tuple[Bars, list[Finding]]:
    """Leave out the spans in which too many bars are missing; within one, a single source may do better."""
    interval = timeframe.milliseconds
    kept: list[Bars] = []
    found: list[Finding] = []
    spans = pieces(bars.open_time, interval)
    if all(missing_share(bars.open_time[slice(*span)], interval) <= max_share for span in spans):
        return bars, found
    for start, end in spans:
        piece = bars.take(slice(start, end))
        if missing_share(piece.open_time, interval) <= max_share:
            kept.append(piece)
            continue
        best = max((_alone(one.bars, piece, interval, max_share) for one in candidates), key=len)
        left = len(piece) - len(best)
        expected = int(piece.open_time[-1] - piece.open_time[0]) // interval + 1
        first_ms = int(np.setdiff1d(piece.open_time, best.open_time)[0])
        missing = expected - len(piece)
        found.append(findings.left_out(timeframe, left, missing, expected, first_ms, max_share))
        kept.append(best)
    return Bars.joined(kept), findings.grouped(found)


def _alone(bars: Bars, piece: Bars, interval: int, max_share: float) -> Bars:
    inside = (bars.open_time >= piece.open_time[0]) & (bars.open_time <= piece.open_time[-1])
    own = bars.take(inside)
    spans = [own.take(slice(*span)) for span in pieces(own.open_time, interval)]
    return Bars.joined([span for span in spans if missing_share(span.open_time, interval) <= max_share])


def _too_sparse(bars: Bars, interval: int, policy: SurveyPolicy, idle: int) -> str:
    spans = [bars.open_time[start:end] for start, end in pieces(bars.open_time, interval)]
    expected = sum(int(times[-1] - times[0]) // interval + 1 for times in spans)
    missing = expected - len(bars)
    longest = max((times for times in spans if len(times) > 1), key=lambda times: int(np.diff(times).max()))
    share, allowed = findings.percent(missing / expected), findings.percent(policy.max_missing_share)
    detail = (
        f"{missing:,} of {findings.counted(expected, 'bar')} ({share}) are missing, "
        f"{_longest_gap(longest, interval)}; max_missing_share allows {allowed}"
    )
    if idle:
        detail += f"; in {idle:,} of them nothing was traded, data.missing: no_trade would fill these"
    return detail


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
        coverage=coverage(bars.open_time, interval),
    )


def _gaps(timeframe: Timeframe, bars: Bars, interval: int, missing: int, expected: int, why: str) -> Finding:
    steps = np.diff(bars.open_time) // interval
    rows = np.flatnonzero(steps > 1)
    openings = bars.open_time[rows] + interval
    lost = lost_rows(bars.open_time, interval, WARM_UP)
    return findings.gaps(
        timeframe, missing, expected, openings.tolist(), (steps[rows] - 1).tolist(), lost, why
    )


def _longest_gap(open_time: IntArray, interval: int) -> str:
    steps = np.diff(open_time)
    row = int(steps.argmax())
    first_ms = int(open_time[row]) + interval
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
