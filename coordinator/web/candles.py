"""The candles of a night: what each symbol has, where it has gaps and defects, and how old it is."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from coordinator.api.access import PartsOf
from coordinator.report.drawings import coverage_of, span_of
from coordinator.views.candles import HARMLESS, night_candles
from coordinator.web.choices import Night, newest_night
from coordinator.web.paging import SymbolFilters, excerpt_of, paging_of, search_of, symbol_choice
from coordinator.web.rendering import Page
from coordinator.web.screens import Show, add_screen, page_router

router = page_router()


class CandleFilters(SymbolFilters):
    """Which night, and which symbols."""

    run: Night = None
    """The night; the newest by default."""


def candles(parts: PartsOf, filters: Annotated[CandleFilters, Query()]) -> Show:
    """Show the candles of a night."""

    def show() -> Page:
        run = filters.run if filters.run is not None else newest_night(parts)
        if run is None:
            return Page("no_night.html", "Data", {"status": parts.status.document()})
        found = night_candles(parts.database, run, excerpt_of(filters))
        spans = span_of(found.symbols)
        content = {
            "run": run,
            "found": found,
            "symbols": [(one, coverage_of(one, *spans) if spans else "") for one in found.symbols],
            "harmless": HARMLESS,
            "choices": [symbol_choice(found.names, filters.symbol)],
            "search": search_of(found.names, filters.find),
            "paging": paging_of(found.shown, filters),
            "hidden": {"run": run},
        }
        return Page("data.html", f"Candles of night {run}", content)

    return show


add_screen(router, "/data", candles)
