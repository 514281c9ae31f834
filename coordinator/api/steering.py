"""How operators steer a night over HTTP, and read who did."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query
from fastapi import Request as HttpRequest
from pydantic import Field

from common.errors import ConflictError, NotFoundError
from common.protocol.jobs import Cell
from common.protocol.steering import (
    KEY_HEADER,
    Action,
    AuditPage,
    Order,
    PauseOrder,
    ReasonedOrder,
    RetryOrder,
    Steered,
)
from common.settings.night import canonical_symbol
from coordinator.api.access import (
    FILTERED,
    LARGEST,
    WRITES,
    CellName,
    JobId,
    Limit,
    Offset,
    Parameters,
    PartsOf,
    RunId,
)
from coordinator.api.errors import READING, WRITING, answers
from coordinator.audit import Request

_NO_RUN = NotFoundError("there is no night 1")
_NO_JOB = NotFoundError("there is no job 17")
_ENDED = ConflictError("night 1 has ended", "begin the next night, which trains anew what has failed")
_OVER = ConflictError("night 1 is done and cannot be cancelled")
_JOB_OVER = ConflictError("BTCUSDT_1h_H3 is over: it has succeeded", "only what is not over can be cancelled")
_NO_SYMBOL = NotFoundError("night 1 has no symbol FOOUSDT", "it has BTCUSDT, ETHUSDT")
_SUCCEEDED = ConflictError("BTCUSDT_1h_H3 has succeeded", "only what failed or was cancelled can be retried")

_NO_MODEL = NotFoundError("job 17 has no model", "name a job that has succeeded")
_NOT_CERTIFIED = ConflictError(
    "the certificate of the model of job 17 has failed: coefficients",
    "what is not certified is never promoted",
)
_NO_CHAMPION = NotFoundError("BTCUSDT_1h_H3 has never had a champion")

MAX_PROGRAM_CHARACTERS = 60

ORDER, PAUSE_ORDER, RETRY_ORDER = Order(), PauseOrder(), RetryOrder()
"""What is asked for without a body."""

changing = APIRouter(prefix="/api", tags=["steering"], dependencies=WRITES)
listing = APIRouter(prefix="/api", tags=["steering"], dependencies=FILTERED)

Symbol = Annotated[str, Path(max_length=30, description="The symbol.", examples=["BTCUSDT"])]
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


class AuditQuery(Parameters):
    """Which changes are listed."""

    run: Annotated[int | None, Field(ge=0, le=LARGEST, description="Changes of this run.")] = None
    job: Annotated[int | None, Field(ge=0, le=LARGEST, description="Changes of this one job.")] = None
    action: Annotated[Action | None, Field(description="Changes of this kind.")] = None
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


@changing.post("/runs/{run}/end", summary="End a run early", responses=answers(*WRITING, _NO_RUN, _ENDED))
def end_run(run: RunId, parts: PartsOf, asked: AskedBy, order: Order = ORDER) -> Steered:
    """End a run with what is done: running jobs save their folds and are given back, all others are dropped.

    Its models are decided on and its results written as always. The next night goes on with the saved folds.
    """
    done = parts.steering.end(run, order, asked)
    parts.housekeeping.wake()
    return done


@changing.post("/runs/{run}/cancel", summary="Cancel a run", responses=answers(*WRITING, _NO_RUN, _OVER))
def cancel_run(run: RunId, parts: PartsOf, asked: AskedBy, order: Order = ORDER) -> Steered:
    """Cancel all jobs that are not over; trainers learn of it at their next renewal, no model is promoted."""
    done = parts.steering.cancel(run, order, asked)
    parts.housekeeping.wake()
    return done


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


@changing.post(
    "/jobs/{job}/cancel", summary="Cancel a job", responses=answers(*WRITING, _NO_JOB, _ENDED, _JOB_OVER)
)
def cancel_job(job: JobId, parts: PartsOf, asked: AskedBy, order: Order = ORDER) -> Steered:
    """Cancel one job that is not over; a trainer that works on it learns of it at its next renewal.

    With a survey the cells are cancelled that wait for it. Saved folds are kept for a retry.
    """
    done = parts.steering.cancel_job(job, order, asked)
    parts.housekeeping.wake()
    return done


@changing.post(
    "/jobs/{job}/next", summary="Run a job next", responses=answers(*WRITING, _NO_JOB, _ENDED, _JOB_OVER)
)
def run_job_next(job: JobId, parts: PartsOf, asked: AskedBy, order: Order = ORDER) -> Steered:
    """Hand a job that waits out before all others, with the survey that it may need."""
    return parts.steering.run_next(job, order, asked)


@changing.post(
    "/runs/{run}/symbols/{symbol}/unpark",
    summary="Un-park a symbol",
    responses=answers(*WRITING, _NO_RUN, _NO_SYMBOL, _ENDED),
)
def unpark_symbol(
    run: RunId, symbol: Symbol, parts: PartsOf, asked: AskedBy, order: Order = ORDER
) -> Steered:
    """Hand the jobs of a symbol out again that was parked because cell after cell of it failed."""
    return parts.steering.unpark(run, canonical_symbol(symbol), order, asked)


@changing.post(
    "/jobs/{job}/promote",
    summary="Promote a model by hand",
    responses=answers(*WRITING, _NO_JOB, _NO_MODEL, _NOT_CERTIFIED),
)
def promote_model(job: JobId, parts: PartsOf, asked: AskedBy, order: ReasonedOrder) -> Steered:
    """Make the model of a job champion of its cell, whatever its run has decided; the reason is kept.

    A model whose certificate has failed is never promoted.
    """
    done = parts.steering.promote(job, order, asked)
    parts.housekeeping.wake()
    return done


@changing.post(
    "/champions/{cell}/rollback",
    summary="Roll a champion back",
    responses=answers(*WRITING, _NO_CHAMPION),
)
def roll_champion_back(cell: CellName, parts: PartsOf, asked: AskedBy, order: ReasonedOrder) -> Steered:
    """Make the model champion again that was before the present one; the reason is kept.

    Each rollback goes one step further back. Before the first champion there was none.
    """
    done = parts.steering.roll_back(Cell.of_name(cell), order, asked)
    parts.housekeeping.wake()
    return done


@listing.get("/audit", summary="List what operators have changed", responses=answers(*READING))
def list_audit(parts: PartsOf, query: Annotated[AuditQuery, Query()]) -> AuditPage:
    """Return who changed what, when, from where and why, the newest first."""
    filters = {"run_id": query.run, "job_id": query.job, "action": query.action}
    return parts.audit.page(filters, query.limit, query.offset)
