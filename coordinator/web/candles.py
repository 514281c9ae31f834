"""The candles of a night: what each symbol has, where it has gaps and defects, and how old it is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Query
from markupsafe import Markup

from common.frozen import Frozen
from common.protocol.reports import SurveyReport
from coordinator.api.access import PartsOf
from coordinator.html.plots.coverage import Strip, coverage_plot
from coordinator.views.candles import SymbolCandles, night_candles, place_of
from coordinator.web.choices import Chosen, Night, choice, newest_night
from coordinator.web.rendering import Page
from coordinator.web.screens import Show, add_screen, page_router

router = page_router()

HARMLESS = {"kept", "sorted", "resampled"}
"""What was done about findings that take nothing away."""


class CandleFilters(Frozen):
    """Which night, and which symbols."""

    run: Night = None
    """The night; the newest by default."""
    symbol: Chosen = ()
    """Symbols; all by default."""


def candles(parts: PartsOf, filters: Annotated[CandleFilters, Query()]) -> Show:
    """Show the candles of a night."""

    def show() -> Page:
        run = filters.run if filters.run is not None else newest_night(parts)
        if run is None:
            return Page("no_night.html", "Data", {"status": parts.status.document()})
        found = night_candles(parts.database, run)
        shown = [one for one in found.symbols if not filters.symbol or one.job.symbol in filters.symbol]
        spans = _spans(shown)
        content = {
            "run": run,
            "found": found,
            "symbols": [(one, _plot(one, *spans) if spans else "") for one in shown],
            "harmless": HARMLESS,
            "choices": [
                choice("symbol", "Symbol", [one.job.symbol for one in found.symbols], filters.symbol)
            ],
            "hidden": {"run": run},
        }
        return Page("data.html", f"Candles of night {run}", content)

    return show


add_screen(router, "/data", candles)


def _spans(shown: list[SymbolCandles]) -> tuple[datetime, datetime] | None:
    """Return the first and the last moment of all symbols, so that their strips can be compared."""
    spans = [one.span for symbol in shown if symbol.report for one in symbol.report.series if one.span]
    if not spans:
        return None
    return min(span.start for span in spans), max(span.end for span in spans)


def _plot(symbol: SymbolCandles, low: datetime, high: datetime) -> Markup | str:
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
