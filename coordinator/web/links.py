"""Addresses that others can write who know a name and no id: boards link to a cell's job by them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Path, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse

from common.errors import NotFoundError
from common.protocol.jobs import JobKind
from coordinator.api.access import PartsOf
from coordinator.assembly import Parts
from coordinator.web.access import LOOKING
from coordinator.web.runbook import anchor_of
from coordinator.web.screens import page_router

router = page_router()

Name = Annotated[str, Path(max_length=200)]


def job_of_cell(parts: Parts, run: str, symbol: str, timeframe: str, horizon: int) -> int:
    """Return the id of a cell's job in a run, or in the newest run where `run` is no number.

    Raises
    ------
    NotFoundError
        There is no such run, or the cell is not in its grid.
    """
    if run.isascii() and run.isdigit():
        number = int(run[:15])
    else:
        newest = parts.run_listing.page(1, 0).runs
        if not newest:
            raise NotFoundError("no night has begun yet")
        number = newest[0].id
    cell = {"symbol": symbol, "timeframe": timeframe, "horizon": horizon}
    found = parts.job_listing.page({"run_id": number, "kind": JobKind.TRAINING, **cell}, 1, 0).jobs
    if not found:
        raise NotFoundError(f"night {number} has no cell {symbol} {timeframe} H{horizon}")
    return found[0].id


async def cell_job(
    parts: PartsOf,
    symbol: Name,
    timeframe: Name,
    horizon: Annotated[int, Path(ge=1, le=1000)],
    run: Annotated[str, Query(max_length=50)] = "",
) -> RedirectResponse:
    """Lead to the job of a cell."""
    job = await run_in_threadpool(job_of_cell, parts, run, symbol, timeframe, horizon)
    return RedirectResponse(f"/jobs/{job}", HTTPStatus.SEE_OTHER)


async def alert_words(alert: Name) -> RedirectResponse:
    """Lead to what the runbook says of an alert."""
    return RedirectResponse(f"/runbook#{anchor_of(alert)}", HTTPStatus.SEE_OTHER)


router.add_api_route("/cells/{symbol}/{timeframe}/{horizon}", cell_job, dependencies=LOOKING)
router.add_api_route("/runbook/{alert}", alert_words, dependencies=LOOKING)
