"""What operators call: runs are begun and cancelled, and everything is read."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Query, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from common.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    StorageError,
    UnauthorizedError,
    UnavailableError,
)
from common.jobs import JobKind, JobState
from common.results import Results
from common.settings import NightSettings, canonical_symbol
from common.status import Health, StatusDocument
from common.views import JobDetail, JobPage, RunPage, RunRequest, RunView
from coordinator.access import may_read, may_write
from coordinator.parts import PartsOf
from coordinator.problems import answers
from coordinator.report import read_results

_READING = (UnauthorizedError, InvalidRequestError, UnavailableError)
_CHANGING = (*_READING, ConflictError, StorageError)

reading = APIRouter(prefix="/api", tags=["operators"], dependencies=[Depends(may_read)])
changing = APIRouter(prefix="/api", tags=["operators"], dependencies=[Depends(may_write)])
health = APIRouter(tags=["health"])

Limit = Annotated[int, Query(ge=1, le=500, description="How many at most.")]
LARGEST = 2**63 - 1
"""The largest number that a database holds."""
Offset = Annotated[int, Query(ge=0, le=LARGEST, description="How many to skip.")]
RunId = Annotated[int, Path(ge=0, le=LARGEST, description="The run's id.", examples=[1])]
JobId = Annotated[int, Path(ge=0, le=LARGEST, description="The job's id.", examples=[1])]


@changing.post(
    "/runs",
    summary="Begin a night, or go on with it",
    status_code=201,
    responses=answers(*_CHANGING)
    | {200: {"model": RunView, "description": "This night is unfinished; it goes on."}},
)
def begin_run(
    request: Annotated[
        RunRequest,
        Body(
            openapi_examples={
                "default": {
                    "summary": "the default grid",
                    "value": {"config": NightSettings().grid_config(), "fresh": False},
                }
            }
        ),
    ],
    response: Response,
    parts: PartsOf,
) -> RunView:
    """Make a run of a grid; an unfinished one of an equal configuration is gone on with (200).

    Another unfinished night is a conflict that names what differs, unless `fresh` cancels it.
    """
    view, made = parts.runs.submit(request)
    response.status_code = 201 if made else 200
    return view


@changing.post("/runs/{run}/cancel", summary="Cancel a run", responses=answers(*_CHANGING, NotFoundError))
def cancel_run(run: RunId, parts: PartsOf) -> RunView:
    """Cancel all jobs that are not final; trainers learn of it at their next renewal."""
    view = parts.runs.cancel(run)
    parts.housekeeping.wake()
    return view


@reading.get("/runs", summary="List runs", responses=answers(*_READING))
def list_runs(parts: PartsOf, limit: Limit = 20, offset: Offset = 0) -> RunPage:
    """Return runs, the newest first."""
    return parts.runs.page(limit, offset)


@reading.get("/runs/{run}", summary="Show a run", responses=answers(*_READING, NotFoundError))
def show_run(run: RunId, parts: PartsOf) -> RunView:
    """Return a run and how far it is."""
    return parts.runs.view(run)


@reading.get(
    "/runs/{run}/results",
    summary="Read the results of a run",
    response_model=Results,
    responses=answers(*_READING, NotFoundError),
)
def show_results(run: RunId, parts: PartsOf) -> Response:
    """Return what `logs/batch_train_results_{timestamp}.json` holds; 404 until the run has ended."""
    results = read_results(parts.database, run)
    return Response(results.model_dump_json(by_alias=True), media_type="application/json")


@reading.get("/jobs", summary="List jobs", responses=answers(*_READING))
def list_jobs(
    parts: PartsOf,
    run: Annotated[int | None, Query(ge=0, le=LARGEST, description="Jobs of this run.")] = None,
    state: Annotated[JobState | None, Query(description="Jobs in this state.")] = None,
    kind: Annotated[JobKind | None, Query(description="Jobs of this kind.")] = None,
    symbol: Annotated[str | None, Query(description="Jobs of this symbol.", examples=["BTCUSDT"])] = None,
    timeframe: Annotated[str | None, Query(description="Jobs of this timeframe.", examples=["1h"])] = None,
    horizon: Annotated[
        int | None, Query(ge=0, le=LARGEST, description="Jobs of this horizon.", examples=[3])
    ] = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> JobPage:
    """Return the jobs that match, in the order of runs and of the grid; queued ones say why they wait."""
    filters = {
        "run_id": run,
        "state": state,
        "kind": kind,
        "symbol": canonical_symbol(symbol) if symbol is not None else None,
        "timeframe": timeframe,
        "horizon": horizon,
    }
    return parts.listing.page(filters, limit, offset)


@reading.get("/jobs/{job}", summary="Show a job", responses=answers(*_READING, NotFoundError))
def show_job(job: JobId, parts: PartsOf) -> JobDetail:
    """Return all that is known of a job: attempts, saved folds, why it waits, what it brought back."""
    return parts.listing.detail(job)


@reading.get("/status", summary="The whole night in one document", responses=answers(*_READING))
def show_status(parts: PartsOf) -> StatusDocument:
    """Return machine, run, progress, expected end, speed, scores, trainers, recent jobs and warnings."""
    return parts.status.document()


@health.get("/healthz", summary="Is the process up?")
def healthz() -> Health:
    """Answer, which is all that is asked."""
    return Health(status="ok", detail="up")


@health.get("/readyz", summary="Can it do its work?", responses=answers(UnavailableError))
def readyz(parts: PartsOf) -> Health:
    """Check that the database can be written and has the schema of this program."""
    return Health(status="ok", detail=f"database at schema {parts.database.check()}")


@health.get(
    "/metrics",
    summary="Everything for Prometheus",
    dependencies=[Depends(may_read)],
    response_class=Response,
    responses=answers(UnauthorizedError, UnavailableError)
    | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "All metrics."}},
)
def show_metrics(parts: PartsOf) -> Response:
    """Return all metrics as text, read at this moment; `common/metrics.py` says what each of them means."""
    return Response(generate_latest(parts.registry), media_type=CONTENT_TYPE_LATEST)
