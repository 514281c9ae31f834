"""How operators steer a night over HTTP, and read who did."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi import Request as HttpRequest
from pydantic import Field

from common.errors import ConflictError, NotFoundError
from common.frozen import Frozen
from common.protocol.steering import (
    KEY_HEADER,
    Action,
    AuditPage,
    Order,
    PauseOrder,
    RetryOrder,
    Steered,
)
from coordinator.api.access import FILTERED, LARGEST, WRITES, JobId, Limit, Offset, PartsOf, RunId
from coordinator.api.errors import READING, WRITING, answers
from coordinator.audit import Request

_NO_RUN = NotFoundError("there is no run 1")
_NO_JOB = NotFoundError("there is no job 17")
_ENDED = ConflictError("run 1 has ended", "begin the next night, which trains all its cells anew")
_SUCCEEDED = ConflictError("BTCUSDT_1h_H3 has succeeded", "only what failed or was cancelled can be retried")

MAX_PROGRAM_CHARACTERS = 60

ORDER, PAUSE_ORDER, RETRY_ORDER = Order(), PauseOrder(), RetryOrder()
"""What is asked for without a body."""

changing = APIRouter(prefix="/api", tags=["steering"], dependencies=WRITES)
listing = APIRouter(prefix="/api", tags=["steering"], dependencies=FILTERED)

Key = Annotated[
    str,
    Header(
        alias=KEY_HEADER,
        max_length=100,
        description="Names the request: sent again with the same key it is answered as before.",
        examples=["5f3c0c6f9d8e4b0fa1b2c3d4e5f60718"],
    ),
]


def asked_by(http: HttpRequest, key: Key = "") -> Request:
    """Return where a request comes from: its address, and the first word of its program's name."""
    address = http.client.host if http.client is not None else "unknown address"
    program = "".join(http.headers.get("User-Agent", "").split()[:1])[:MAX_PROGRAM_CHARACTERS]
    shown = program if program.isprintable() else ""
    return Request(f"{address} {shown}".strip(), key)


AskedBy = Annotated[Request, Depends(asked_by)]


class AuditQuery(Frozen):
    """Which changes are listed."""

    run: Annotated[int | None, Field(ge=0, le=LARGEST)] = None
    """Changes of this run."""
    job: Annotated[int | None, Field(ge=0, le=LARGEST)] = None
    """Changes of this one job."""
    action: Action | None = None
    """Changes of this kind."""
    limit: Limit = 100
    offset: Offset = 0


@changing.post("/runs/{run}/pause", summary="Pause a run", responses=answers(*WRITING, _NO_RUN, _ENDED))
def pause_run(run: RunId, parts: PartsOf, asked: AskedBy, order: PauseOrder = PAUSE_ORDER) -> Steered:
    """Hand out no more jobs of a run until it is resumed; restarts do not end a pause.

    Running jobs go on to their end, or are given back after their next fold.
    """
    return parts.steering.pause(run, order, asked)


@changing.post("/runs/{run}/resume", summary="Resume a run", responses=answers(*WRITING, _NO_RUN, _ENDED))
def resume_run(run: RunId, parts: PartsOf, asked: AskedBy, order: Order = ORDER) -> Steered:
    """Hand out the jobs of a paused run again."""
    return parts.steering.resume(run, order, asked)


@changing.post("/runs/{run}/retry", summary="Retry failed jobs", responses=answers(*WRITING, _NO_RUN, _ENDED))
def retry_run(run: RunId, parts: PartsOf, asked: AskedBy, order: RetryOrder = RETRY_ORDER) -> Steered:
    """Try failed jobs of an unfinished run again, all of them or those of one cause and message.

    Their budgets begin anew, and their saved folds are kept. Cells whose candles were refused are surveyed
    again first.
    """
    return parts.steering.retry(run, order, asked)


@changing.post(
    "/jobs/{job}/retry", summary="Retry a job", responses=answers(*WRITING, _NO_JOB, _ENDED, _SUCCEEDED)
)
def retry_job(job: JobId, parts: PartsOf, asked: AskedBy, order: Order = ORDER) -> Steered:
    """Try one job again that has failed or was cancelled."""
    return parts.steering.retry_job(job, order, asked)


@listing.get("/audit", summary="List what operators have changed", responses=answers(*READING))
def list_audit(parts: PartsOf, query: Annotated[AuditQuery, Query()]) -> AuditPage:
    """Return who changed what, when, from where and why, the newest first."""
    filters = {"run_id": query.run, "job_id": query.job, "action": query.action}
    return parts.audit.page(filters, query.limit, query.offset)
