"""What operators call: runs are begun and cancelled, and everything is read."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from common.errors import ConflictError, InvalidRequestError, NotFoundError, StorageError, UnavailableError
from common.protocol.job_views import JobDetail, JobPage
from common.protocol.jobs import JobKind, JobState
from common.protocol.results import Results
from common.protocol.runs import RunPage, RunRequest, RunView
from common.protocol.status import Health, StatusDocument
from common.settings.night import canonical_symbol
from common.timeframes import SECONDS
from coordinator.api.access import may_read, may_write
from coordinator.api.errors import READING, WRITING, answers
from coordinator.api.examples import operators as examples
from coordinator.api.openapi import answered, asked
from coordinator.api.query import known_query
from coordinator.assembly import PartsOf
from coordinator.housekeeping.files import read_results

_NO_RUN = NotFoundError("there is no run 1")
_NO_JOB = NotFoundError("there is no job 17")
_HEALTHZ = answers() | answered("It is.", up=examples.UP)
_READYZ = answers(UnavailableError, StorageError) | answered("It can.", ready=examples.READY)

reading = APIRouter(prefix="/api", tags=["operators"], dependencies=[Depends(may_read), Depends(known_query)])
changing = APIRouter(
    prefix="/api", tags=["operators"], dependencies=[Depends(may_write), Depends(known_query)]
)
health = APIRouter(tags=["health"])

Limit = Annotated[int, Query(ge=1, le=500, description="How many at most.")]
LARGEST = 2**31 - 1
"""The largest number that every database holds in an INTEGER, as ids are; beyond it PostgreSQL fails."""
Offset = Annotated[int, Query(ge=0, le=LARGEST, description="How many to skip.")]
RunId = Annotated[int, Path(ge=0, le=LARGEST, description="The run's id.", examples=[1])]
JobId = Annotated[int, Path(ge=0, le=LARGEST, description="The job's id.", examples=[17])]


@changing.post(
    "/runs",
    summary="Begin a night, or go on with it",
    status_code=201,
    responses=answers(
        *WRITING,
        ConflictError(
            "run 1 is unfinished and has another configuration: n_splits (there 5, here 4)",
            "go on with its configuration, or start over with --fresh",
        ),
    )
    | answered("The night was begun.", 201, begun=examples.BEGUN)
    | answered("This night is unfinished; it goes on.", model=RunView, under_way=examples.RUN),
)
def begin_run(
    request: Annotated[RunRequest, asked(the_default_grid=examples.RUN_REQUEST)],
    response: Response,
    parts: PartsOf,
) -> RunView:
    """Make a run of a grid; an unfinished one of an equal configuration is gone on with (200).

    Another unfinished night is a conflict that names what differs, unless `fresh` cancels it.
    """
    view, made = parts.runs.submit(request)
    response.status_code = 201 if made else 200
    return view


@changing.post(
    "/runs/{run}/cancel",
    summary="Cancel a run",
    responses=answers(*WRITING, _NO_RUN, ConflictError("run 1 is done and cannot be cancelled"))
    | answered("The run is cancelled.", cancelled=examples.CANCELLED),
)
def cancel_run(run: RunId, parts: PartsOf) -> RunView:
    """Cancel all jobs that are not final; trainers learn of it at their next renewal."""
    view = parts.runs.cancel(run)
    parts.housekeeping.wake()
    return view


@reading.get(
    "/runs",
    summary="List runs",
    responses=answers(*READING) | answered("The runs.", one_under_way=examples.RUN_PAGE),
)
def list_runs(parts: PartsOf, limit: Limit = 20, offset: Offset = 0) -> RunPage:
    """Return runs, the newest first."""
    return parts.runs.page(limit, offset)


@reading.get(
    "/runs/{run}",
    summary="Show a run",
    responses=answers(*READING, _NO_RUN) | answered("The run.", under_way=examples.RUN),
)
def show_run(run: RunId, parts: PartsOf) -> RunView:
    """Return a run and how far it is."""
    return parts.runs.view(run)


@reading.get(
    "/runs/{run}/results",
    summary="Read the results of a run",
    response_model=Results,
    responses=answers(
        *READING,
        _NO_RUN,
        NotFoundError("run 1 has not ended, so it has no results", "ask /api/status how far it is"),
    )
    | answered("The results.", one_cell_one_fold_and_one_survey_of_them=examples.RESULTS),
)
def show_results(run: RunId, parts: PartsOf) -> Response:
    """Return what `logs/batch_train_results_{timestamp}.json` holds; 404 until the run has ended."""
    results = read_results(parts.database, run)
    return Response(results.model_dump_json(by_alias=True), media_type="application/json")


@reading.get(
    "/jobs",
    summary="List jobs",
    responses=answers(
        *READING,
        InvalidRequestError("query.timeframe: '7m' is no timeframe", f"use one of {', '.join(SECONDS)}"),
    )
    | answered("The jobs.", one_done_and_one_waiting=examples.JOB_PAGE),
)
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
    if timeframe is not None and timeframe not in SECONDS:
        problem = f"query.timeframe: {timeframe!r} is no timeframe"
        raise InvalidRequestError(problem, f"use one of {', '.join(SECONDS)}")
    filters = {
        "run_id": run,
        "state": state,
        "kind": kind,
        "symbol": canonical_symbol(symbol) if symbol is not None else None,
        "timeframe": timeframe,
        "horizon": horizon,
    }
    return parts.listing.page(filters, limit, offset)


@reading.get(
    "/jobs/{job}",
    summary="Show a job",
    responses=answers(*READING, _NO_JOB)
    | answered("The job.", trained_with_one_fold_and_two_features_shown=examples.JOB_DETAIL),
)
def show_job(job: JobId, parts: PartsOf) -> JobDetail:
    """Return all that is known of a job: attempts, saved folds, why it waits, what it brought back."""
    return parts.listing.detail(job)


@reading.get(
    "/status",
    summary="The whole night in one document",
    responses=answers(*READING) | answered("The night.", under_way=examples.STATUS),
)
def show_status(parts: PartsOf) -> StatusDocument:
    """Return machine, run, progress, expected end, speed, scores, trainers, recent jobs and warnings."""
    return parts.status.document()


# Of what watches the process no query is refused: probes and scrapers add some of their own (`?verbose`,
# `?name[]=`), and a check that fails by that is an alarm about nothing. Uptime probes ask with HEAD.
@health.head("/healthz", name="probe_healthz", summary="Is the process up? (no body)", responses=_HEALTHZ)
@health.get("/healthz", summary="Is the process up?", responses=_HEALTHZ)
def healthz() -> Health:
    """Answer, which is all that is asked. A query is ignored; HEAD is answered as GET, without the body."""
    return Health(status="ok", detail="up")


@health.head("/readyz", name="probe_readyz", summary="Can it do its work? (no body)", responses=_READYZ)
@health.get("/readyz", summary="Can it do its work?", responses=_READYZ)
def readyz(parts: PartsOf) -> Health:
    """Check that the database can be written and has the schema of this program.

    A query is ignored; HEAD is answered as GET, without the body.
    """
    return Health(status="ok", detail=f"database at schema {parts.database.check()}")


@health.get(
    "/metrics",
    summary="Everything for Prometheus",
    dependencies=[Depends(may_read)],
    response_class=PlainTextResponse,
    responses=answers(*READING)
    | answered("All metrics.", media_type="text/plain", one_of_them=examples.METRICS),
)
def show_metrics(parts: PartsOf) -> Response:
    """Return all metrics as text, read at this moment; `common/metrics/declarations.py` says what each means.

    A query is ignored.
    """
    return Response(generate_latest(parts.registry), media_type=CONTENT_TYPE_LATEST)
