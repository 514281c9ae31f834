"""Every earlier night: its totals at a glance, and its grid."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from fastapi.responses import HTMLResponse
from pydantic import Field

from common.frozen import Frozen
from coordinator.api.access import LARGEST, PartsOf
from coordinator.report.page import report_headers
from coordinator.views.nights import night_grid, night_page
from coordinator.web.access import LOOKING
from coordinator.web.choices import RunNumber
from coordinator.web.night import LOOKS, NightFilters, first_words, grid_choices, known_states, rows_of
from coordinator.web.paging import excerpt_of, paging_of, search_of
from coordinator.web.rendering import Page
from coordinator.web.screens import Show, add_screen, page_router

router = page_router()

PAGE_NIGHTS = 50


class NightsQuery(Frozen):
    """Which nights are shown."""

    offset: Annotated[int, Field(ge=0, le=LARGEST)] = 0
    """How many of the newest are skipped."""


def nights(parts: PartsOf, query: Annotated[NightsQuery, Query()]) -> Show:
    """Show all nights, a page at a time."""

    def show() -> Page:
        found = night_page(parts.database, PAGE_NIGHTS, query.offset)
        if not found.total:
            return Page("no_night.html", "Nights", {"status": parts.status.document()})
        return Page("nights.html", "Nights", {"found": found})

    return show


def past_night(run: RunNumber, parts: PartsOf, filters: Annotated[NightFilters, Query()]) -> Show:
    """Show one night: its totals and its grid."""

    def show() -> Page:
        summary, grid, now = night_grid(parts.database, run, excerpt_of(filters), known_states(filters))
        timeframes = tuple(
            one for one in grid.timeframes if not filters.timeframe or one in filters.timeframe
        )
        horizons = tuple(one for one in grid.horizons if not filters.horizon or str(one) in filters.horizon)
        content = {
            "night": summary,
            "now": now,
            "timeframes": timeframes,
            "horizons": horizons,
            "search": search_of(grid.names, filters.find),
            "rows": rows_of(grid, filters, timeframes, horizons),
            "paging": paging_of(grid.shown, filters),
            "first": first_words(filters),
            "looks": LOOKS,
            "choices": grid_choices(grid, filters),
        }
        return Page("past_night.html", f"Night {run}", content)

    return show


@router.get("/nights/{run}/report", dependencies=LOOKING, response_model=None)
def report(run: RunNumber, parts: PartsOf) -> HTMLResponse:
    """Send the report of a night, with its own policy: it loads nothing."""
    return HTMLResponse(parts.reports.html(run), headers=report_headers())


add_screen(router, "/nights", nights)
add_screen(router, "/nights/{run}", past_night)
