"""Trainers over the time of a night: zoomed by the address, every gap explained."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query
from pydantic import AwareDatetime, Field

from common.errors import InvalidRequestError
from common.frozen import Frozen
from coordinator.api.access import PartsOf
from coordinator.html.plots.timeline import LEFT, RIGHT, WIDTH, timeline_plot
from coordinator.report.drawings import lane_of
from coordinator.views.timeline import read_timeline
from coordinator.web.choices import Chosen, Night, choice, newest_night
from coordinator.web.rendering import Page
from coordinator.web.screens import Show, add_screen, page_router

router = page_router()

LEAST = timedelta(seconds=10)
"""The shortest stretch that can be zoomed to."""

TOLD_SECONDS = 10.0
"""Gaps of this length and more are listed below the drawing as well."""

LISTED = 200
FORM = "%Y-%m-%dT%H:%M:%SZ"


class TimelineFilters(Frozen):
    """Which night, which part of it, and which trainers."""

    run: Night = None
    """The night; the newest by default."""
    since: Annotated[AwareDatetime | None, Field()] = None
    """From when on."""
    until: Annotated[AwareDatetime | None, Field()] = None
    """Until when."""
    trainer: Chosen = ()
    """Trainers; all by default."""


def timeline(parts: PartsOf, filters: Annotated[TimelineFilters, Query()]) -> Show:
    """Show the timeline of a night."""

    def show() -> Page:
        run = filters.run if filters.run is not None else newest_night(parts)
        if run is None:
            return Page("no_night.html", "Timeline", {"status": parts.status.document()})
        found = read_timeline(parts.database, run, parts.settings)
        whole = found.start, _whole_minute(found.end) if not found.is_over else found.end
        low, high = _view(filters, *whole)
        lanes = [one for one in found.trainers if not filters.trainer or one.trainer in filters.trainer]
        gaps = [
            (one.trainer, gap)
            for one in lanes
            for gap in one.gaps
            if gap.seconds >= TOLD_SECONDS and gap.end >= low and gap.start <= high
        ]
        content = {
            "run": run,
            "timeline": found,
            "lanes": lanes,
            "low": low,
            "high": high,
            "zoomed": (low, high) != whole,
            "links": _links(run, filters, low, high, whole),
            "address": _address(run, filters, "FROM", "UNTIL"),
            "ends": (LEFT, WIDTH - RIGHT),
            "plot": timeline_plot([lane_of(one, found, high) for one in lanes], low, high),
            "gaps": sorted(gaps, key=lambda one: -one[1].seconds)[:LISTED],
            "gap_count": len(gaps),
            "choices": [
                choice("trainer", "Trainer", [one.trainer for one in found.trainers], filters.trainer)
            ],
            "hidden": {"run": run},
        }
        return Page("timeline.html", f"Timeline of night {run}", content)

    return show


add_screen(router, "/timeline", timeline)


def _whole_minute(moment: datetime) -> datetime:
    # The axis of a running night moves once a minute, so that an open page is not drawn anew all the time.
    return moment.replace(second=0, microsecond=0) + timedelta(minutes=1)


def _view(filters: TimelineFilters, start: datetime, end: datetime) -> tuple[datetime, datetime]:
    low = min(max(filters.since or start, start), end)
    high = min(filters.until or end, end)
    if high - low < LEAST:
        if filters.since and filters.until and filters.until <= filters.since:
            raise InvalidRequestError("until must be later than since", "zoom out to the whole night")
        low, high = min(low, end - LEAST), max(high, low + LEAST)
    return low.astimezone(UTC), high.astimezone(UTC)


def _address(run: int, filters: TimelineFilters, low: str, high: str) -> str:
    pairs = [("run", str(run)), *(("trainer", name) for name in filters.trainer)]
    pairs += [(key, value) for key, value in (("since", low), ("until", high)) if value]
    return f"/timeline?{urlencode(pairs)}"


def _links(
    run: int,
    filters: TimelineFilters,
    low: datetime,
    high: datetime,
    whole: tuple[datetime, datetime],
) -> list[tuple[str, str]]:
    """Return where the buttons lead: words and address, an empty one where there is nothing further."""
    span, start, end = high - low, *whole

    def to(since: datetime, until: datetime) -> str:
        since, until = max(since, start), min(until, end)
        if (since, until) == (low, high):
            return ""
        return _address(run, filters, f"{since:{FORM}}", f"{until:{FORM}}")

    return [
        ("Zoom in", to(low + span / 4, high - span / 4) if span > 2 * LEAST else ""),
        ("Zoom out", to(low - span / 2, high + span / 2)),
        ("Earlier", to(max(low - span / 2, start), max(low - span / 2, start) + span)),
        ("Later", to(min(high + span / 2, end) - span, min(high + span / 2, end))),
        ("Whole night", _address(run, filters, "", "") if (low, high) != whole else ""),
    ]
