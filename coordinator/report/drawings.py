"""Drawings of a night that both the page and the report show: what was read, as the plots take it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from markupsafe import Markup

from common.protocol.job_views import Outcome
from common.protocol.reports import SurveyReport
from coordinator.html.plots.coverage import Strip, coverage_plot
from coordinator.html.plots.timeline import Lane, Stretch
from coordinator.html.values import duration
from coordinator.views.candles import SymbolCandles, place_of
from coordinator.views.timeline import Timeline, TrainerTime, Work


def lane_of(one: TrainerTime, found: Timeline, high: datetime, linked: bool = True) -> Lane:
    """Return a trainer's time; what still runs reaches to `high`, and bars lead to their jobs if `linked`."""
    stretches = [_stretch(work, found, high, linked) for work in one.work]
    stretches += [
        Stretch(
            gap.start,
            gap.end,
            "gap",
            "",
            f"{one.trainer} did nothing for {duration(gap.seconds)}: {gap.words}",
        )
        for gap in one.gaps
    ]
    return Lane(one.trainer, tuple(sorted(stretches, key=lambda stretch: stretch.start)))


def _stretch(work: Work, found: Timeline, high: datetime, linked: bool) -> Stretch:
    end = max(work.end, high) if work.outcome is Outcome.RUNNING and not found.is_over else work.end
    took = "since" if work.outcome is Outcome.RUNNING else duration(work.end - work.start) + ", from"
    why = f" ({work.cause}: {work.message})" if work.cause and work.message else ""
    tip = f"{work.name}, attempt {work.attempt}: {work.outcome}{why}; {took} {work.start:%H:%M:%S} UTC"
    return Stretch(work.start, end, work.outcome, work.name, tip, f"/jobs/{work.job_id}" if linked else "")


def span_of(shown: Iterable[SymbolCandles]) -> tuple[datetime, datetime] | None:
    """Return the first and the last moment of all symbols, so that their strips can be compared."""
    spans = [one.span for symbol in shown if symbol.report for one in symbol.report.series if one.span]
    if not spans:
        return None
    return min(span.start for span in spans), max(span.end for span in spans)


def coverage_of(symbol: SymbolCandles, low: datetime, high: datetime) -> Markup | str:
    """Return what of a symbol's series is there; empty before its survey."""
    report = symbol.report
    if report is None:
        return ""
    return coverage_plot(f"Coverage of {symbol.job.symbol}", _strips(report), low, high)


def _strips(report: SurveyReport) -> list[Strip]:
    strips = []
    for one in report.series:
        places = [
            (place, f"{finding.defect.replace('_', ' ')}, {finding.count:,} in all, first {finding.first}")
            for finding in report.findings
            if finding.timeframe == one.timeframe and (place := place_of(finding)) is not None
        ]
        start, end = (one.span.start, one.span.end) if one.span else (None, None)
        strips.append(
            Strip(one.timeframe, start, end, one.coverage, bool(one.refusal), tuple(sorted(places)))
        )
    return strips
