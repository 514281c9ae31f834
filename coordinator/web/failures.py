"""The screen of failures: each thing that went wrong once, with the cells that it took."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query
from pydantic import Field

from common.frozen import Frozen
from common.protocol.jobs import Cause
from coordinator.api.access import LARGEST, PartsOf
from coordinator.html.values import some
from coordinator.views.failures import WHAT_TO_DO, FailureGroup, Failures
from coordinator.web.rendering import Page
from coordinator.web.screens import Show, add_screen, page_router

router = page_router()


class FailureFilters(Frozen):
    """Which failures are shown."""

    run: Annotated[int | None, Field(ge=0, le=LARGEST)] = None
    """Of this night; by default of the newest."""
    cause: tuple[Cause, ...] = ()
    """Of these causes; by default of all."""


def failures(parts: PartsOf, filters: Annotated[FailureFilters, Query()]) -> Show:
    """Show what failed in a night."""

    def show() -> Page:
        found = parts.failures.read(filters.run)
        if found is None:
            return Page("no_night.html", "Failures", {"status": parts.status.document()})
        groups = [one for one in found.groups if not filters.cause or one.cause in filters.cause]
        causes = sorted({str(one.cause) for one in found.groups} | {str(one) for one in filters.cause})
        content = {
            "found": found,
            "headline": headline(found),
            "groups": [(place, one, retry_address(found, one)) for place, one in enumerate(groups, 1)],
            "shown": sum(len(one.jobs) for one in groups),
            "what_to_do": WHAT_TO_DO,
            "kept": {"run": filters.run} if filters.run is not None else {},
            "choices": [("cause", "Cause", [(one, one) for one in causes], filters.cause)],
        }
        return Page("failures.html", f"Failures of night {found.run_id}", content)

    return show


def headline(found: Failures) -> str:
    """Return what went wrong in a night, in a sentence; candles that cannot be trained on are no failures."""
    of = f"in night {found.run_id}"
    broken = found.jobs - found.untrainable
    if not found.untrainable:
        return f"{some(broken, 'job') if broken else 'No job'} failed {of}"
    cannot = f"{found.untrainable} {'is' if found.untrainable == 1 else 'are'} not trainable"
    return f"{some(broken, 'job') if broken else 'No job'} failed {of}, {cannot}"


def retry_address(found: Failures, group: FailureGroup) -> str:
    """Return where all jobs of a group are tried again."""
    query = urlencode({"cause": str(group.cause), "message": group.message})
    return f"/runs/{found.run_id}/retry?{query}"


add_screen(router, "/failures", failures)
