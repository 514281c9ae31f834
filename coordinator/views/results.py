"""The results of a run, once it has ended: each cell, each survey, and the night in figures."""

from __future__ import annotations

from collections import Counter

from common.errors import NotFoundError
from common.protocol.jobs import FINAL_STATES, Cause, JobKind, JobState
from common.protocol.reports import FoldResult
from common.protocol.results import JobResult, Results, SurveyResult, Totals
from common.protocol.runs import RunState
from common.settings.grid import grid_of
from coordinator.champions.decision import tests_of
from coordinator.champions.registry import changes
from coordinator.policy.multiplicity import best_of
from coordinator.store.database import Database, Transaction
from coordinator.store.rows import AttemptRow, JobRow, RunRow, find_run
from coordinator.views.jobs import attempts_of, jobs_of, survey_report
from coordinator.views.told import told_of


def read_results(database: Database, run_id: int, so_far: bool = False) -> Results:
    """Return the results of a run, or what there is of them so far.

    Raises
    ------
    NotFoundError
        There is no such run, or it has not ended yet and not what there is so far was asked for.
    """
    with database.read() as tx:
        run = find_run(tx, run_id)
        if run.state is RunState.RUNNING and not so_far:
            raise NotFoundError(
                f"night {run_id} has not ended, so it has no results", "ask /api/status how far it is"
            )
        return results_of(tx, run)


def results_of(tx: Transaction, run: RunRow) -> Results:
    """Return the results of a run: of one that is running, as if it ended now, with no model decided on."""
    ended = run.decided or tx.now
    undecided = "the night was cancelled before its models were decided on"
    if run.decided is None:
        undecided = "its model is decided on when the night is done"
    found = jobs_of(tx, run.id)
    history = attempts_of(tx, [job.id for job in found])
    tried = Counter((job.symbol, job.timeframe) for job in found if job.p_value is not None)
    cells = [
        _job_result(tx, job, history[job.id], tried[job.symbol, job.timeframe], undecided)
        for job in found
        if job.kind is JobKind.TRAINING
    ]
    surveys = [_survey_result(tx, job, history[job.id]) for job in found if job.kind is JobKind.SURVEY]
    return Results(
        run=run.id,
        config=grid_of(run.config),
        synthetic=run.synthetic,
        started=run.created,
        finished=ended,
        totals=_totals(cells, surveys, (ended - run.created).total_seconds()),
        jobs=tuple(cells),
        surveys=tuple(surveys),
        champions=tests_of(tx, run.id),
        champion_changes=changes(tx.connection, run.id),
    )


def _totals(cells: list[JobResult], surveys: list[SurveyResult], wall_seconds: float) -> Totals:
    states = [cell.state for cell in cells]
    tried: list[SurveyResult | JobResult] = [*surveys, *cells]
    attempts = [attempt for job in tried for attempt in job.attempts]
    peaks = [attempt.peak_memory_bytes for attempt in attempts if attempt.peak_memory_bytes is not None]
    return Totals(
        jobs=len(cells),
        succeeded=states.count(JobState.SUCCEEDED),
        reused=sum(cell.reused_from is not None for cell in cells),
        failed=states.count(JobState.FAILED),
        untrainable=sum(cell.state is JobState.FAILED and cell.cause is Cause.DATA for cell in cells),
        cancelled=states.count(JobState.CANCELLED),
        promoted=sum(cell.promoted for cell in cells),
        attempts=len(attempts),
        wall_seconds=wall_seconds,
        job_seconds=sum(attempt.seconds or 0.0 for attempt in attempts),
        peak_memory_bytes=max(peaks, default=None),
    )


def _job_result(
    tx: Transaction, job: JobRow, history: list[AttemptRow], tried: int, undecided: str
) -> JobResult:
    report = told_of(tx, job)
    reasons = job.reasons
    if job.state not in FINAL_STATES:
        reasons = ("it is not trained yet",)
    elif job.state is not JobState.SUCCEEDED:
        reasons = (f"it was not trained: {job.message}",)
    elif job.promoted is None:
        reasons = (undecided,)
    return JobResult.of(
        job,
        rows=report.rows if report else job.rows,
        span=report.span if report else None,
        ties=report.ties if report else None,
        edge=report.edge if report else None,
        gates=report.gates if report else None,
        recalibration=report.recalibration if report else None,
        best_of=None if job.p_value is None else tried,
        p_value_best_of=None if job.p_value is None else best_of(job.p_value, tried),
        folds=tuple(FoldResult.of(fold) for fold in report.folds) if report else (),
        promoted=bool(job.promoted),
        reasons=reasons,
        failed_checks=report.certificate.failed if report else (),
        **_tries(history),
    )


def _survey_result(tx: Transaction, job: JobRow, history: list[AttemptRow]) -> SurveyResult:
    return SurveyResult.of(job, report=survey_report(tx, job), **_tries(history))


def _tries(history: list[AttemptRow]) -> dict[str, object]:
    last = history[-1] if history else None
    return {
        "seconds": last.seconds if last else None,
        "peak_memory_bytes": last.peak_memory_bytes if last else None,
        "attempts": history,
    }
