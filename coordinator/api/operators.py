"""What operators call: runs are begun, and everything is read."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse
from pydantic import Field

from common.errors import ConflictError, InvalidRequestError, NotFoundError
from common.protocol.champions import value_differences
from common.protocol.job_views import JobDetail, JobPage
from common.protocol.jobs import JobKind, JobState
from common.protocol.nights import NightDifference, NightDigest
from common.protocol.results import Results
from common.protocol.runs import RunPage, RunRequest, RunView
from common.protocol.status import StatusDocument
from common.settings.night import canonical_symbol
from common.timeframes import Timeframe
from coordinator.api.access import (
    FILTERED,
    LARGEST,
    READS,
    WRITES,
    JobId,
    Limit,
    Offset,
    Parameters,
    PartsOf,
    RunId,
)
from coordinator.api.errors import READING, WRITING, answers
from coordinator.report.page import report_headers
from coordinator.views.comparison import compare_nights
from coordinator.views.results import read_results

_NO_RUN = NotFoundError("there is no night 1")
_NO_JOB = NotFoundError("there is no job 17")
_NO_RESULTS = NotFoundError("night 1 has not ended, so it has no results", "ask /api/status how far it is")
_OTHER_NIGHT = ConflictError(
    "night 1 is unfinished and has another configuration: n_splits (there 5, here 4)",
    "continue it with its own configuration, or start over with --fresh",
)
_NO_RUN_NAMED = InvalidRequestError(
    "query.since: which run's jobs have changed is not said", "name the run too, as in ?run=1&since=41"
)
_NO_TIMEFRAME = InvalidRequestError(
    "query.timeframe: '7m' is not a timeframe", f"use one of {', '.join(Timeframe)}"
)

changing = APIRouter(prefix="/api", tags=["operators"], dependencies=WRITES)
reading = APIRouter(prefix="/api", tags=["operators"], dependencies=READS)
listing = APIRouter(prefix="/api", tags=["operators"], dependencies=FILTERED)


class RunQuery(Parameters):
    """Which runs are listed."""

    limit: Limit = 20
    offset: Offset = 0


class ResultsQuery(Parameters):
    """Which results of a run are shown."""

    so_far: Annotated[
        bool,
        Field(
            description="Show what there is of a run that has not ended, too; "
            "none of its models is decided on yet."
        ),
    ] = False


class DifferenceQuery(Parameters):
    """Which runs are compared."""

    left: Annotated[int, Field(ge=0, le=LARGEST, examples=[1], description="The first run.")]
    right: Annotated[int, Field(ge=0, le=LARGEST, examples=[2], description="The second run.")]


class JobQuery(Parameters):
    """Which jobs are listed."""

    run: Annotated[int | None, Field(ge=0, le=LARGEST, description="Jobs of this run.")] = None
    state: Annotated[JobState | None, Field(description="Jobs in this state.")] = None
    kind: Annotated[JobKind | None, Field(description="Jobs of this kind.")] = None
    symbol: Annotated[str | None, Field(examples=["BTCUSDT"], description="Jobs of this symbol.")] = None
    timeframe: Annotated[str | None, Field(examples=["1h"], description="Jobs of this timeframe.")] = None
    horizon: Annotated[
        int | None, Field(ge=0, le=LARGEST, examples=[3], description="Jobs of this horizon.")
    ] = None
    since: Annotated[
        int | None,
        Field(
            ge=0,
            lt=2**63,
            examples=[41],
            description="Jobs of the run that have changed since an earlier page (its `revision`), "
            "and all that are at work.",
        ),
    ] = None
    limit: Limit = 100
    offset: Offset = 0


@changing.post(
    "/runs",
    summary="Begin a night, or continue it",
    status_code=201,
    responses=answers(*WRITING, _OTHER_NIGHT) | {200: {"model": RunView}},
)
def begin_run(request: RunRequest, response: Response, parts: PartsOf) -> RunView:
    """Start a run of a grid, or continue an unfinished one with the same configuration (200).

    Another unfinished night is a conflict that names what differs, unless `fresh` cancels it.
    """
    run, made = parts.runs.submit(request)
    response.status_code = 201 if made else 200
    return parts.run_listing.view(run.id)


@listing.get("/runs", summary="List runs", responses=answers(*READING))
def list_runs(parts: PartsOf, query: Annotated[RunQuery, Query()]) -> RunPage:
    """Return runs, the newest first."""
    return parts.run_listing.page(query.limit, query.offset)


@reading.get("/runs/{run}", summary="Show a run", responses=answers(*READING, _NO_RUN))
def show_run(run: RunId, parts: PartsOf) -> RunView:
    """Return a run and how far it is."""
    return parts.run_listing.view(run)


@listing.get(
    "/runs/{run}/results",
    summary="Read the results of a run",
    response_model=Results,
    responses=answers(*READING, _NO_RUN, _NO_RESULTS),
)
def show_results(run: RunId, parts: PartsOf, query: Annotated[ResultsQuery, Query()]) -> Response:
    """Return what `logs/batch_train_results_{timestamp}.json` holds; before the end 404 or `so_far`."""
    results = read_results(parts.database, run, query.so_far)
    return Response(results.model_dump_json(by_alias=True), media_type="application/json")


@reading.get(
    "/runs/{run}/report",
    summary="Read the report of a run",
    response_class=HTMLResponse,
    responses=answers(*READING, _NO_RUN),
)
def show_report(run: RunId, parts: PartsOf) -> HTMLResponse:
    """Return what `logs/batch_train_report_{timestamp}.html` holds; of a run that goes on, the report so far.

    It is one file with its style and its drawings: its policy lets it run no script and ask for nothing.
    """
    return HTMLResponse(parts.reports.html(run), headers=report_headers())


@reading.get("/runs/{run}/digest", summary="Read a run in ten lines", responses=answers(*READING, _NO_RUN))
def show_digest(run: RunId, parts: PartsOf) -> NightDigest:
    """Return what receivers of alerts get when a run ends; of one that goes on, what is known so far."""
    return parts.reports.digest(run)


@listing.get("/nights/difference", summary="Compare two runs", responses=answers(*READING, _NO_RUN))
def compare_runs(parts: PartsOf, query: Annotated[DifferenceQuery, Query()]) -> NightDifference:
    """Return what differs between two runs: the configuration, and of each cell score and origin."""
    told = compare_nights(parts.database, query.left, query.right)
    return NightDifference.of(
        told,
        left=query.left,
        right=query.right,
        configuration=value_differences(told.configuration),
        code=value_differences(told.code),
    )


@listing.get("/jobs", summary="List jobs", responses=answers(*READING, _NO_TIMEFRAME, _NO_RUN_NAMED))
def list_jobs(parts: PartsOf, query: Annotated[JobQuery, Query()]) -> JobPage:
    """Return the jobs that match, in the order of runs and of the grid; queued ones say why they wait."""
    if query.timeframe is not None and query.timeframe not in tuple(Timeframe):
        problem = f"query.timeframe: {query.timeframe!r} is not a timeframe"
        raise InvalidRequestError(problem, f"use one of {', '.join(Timeframe)}")
    if query.since is not None and query.run is None:
        raise _NO_RUN_NAMED
    filters = {
        "run_id": query.run,
        "state": query.state,
        "kind": query.kind,
        "symbol": canonical_symbol(query.symbol) if query.symbol is not None else None,
        "timeframe": query.timeframe,
        "horizon": query.horizon,
    }
    return parts.job_listing.page(filters, query.limit, query.offset, query.since)


@reading.get("/jobs/{job}", summary="Show a job", responses=answers(*READING, _NO_JOB))
def show_job(job: JobId, parts: PartsOf) -> JobDetail:
    """Return all that is known about a job: attempts, saved folds, why it waits, what it brought back."""
    return parts.job_listing.detail(job)


@reading.get("/status", summary="The whole night in one document", responses=answers(*READING))
def show_status(parts: PartsOf) -> StatusDocument:
    """Return machine, run, progress, expected end, speed, scores, trainers, recent jobs and warnings."""
    return parts.status.document()
