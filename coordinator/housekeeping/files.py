"""The files that tell of a run: its results, once it has ended, and its progress all the while."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from common.errors import NotFoundError
from common.protocol.jobs import JobKind, JobState
from common.protocol.reports import FoldReport, FoldResult, Scores
from common.protocol.results import JobResult, Results, SurveyResult, Totals
from common.protocol.runs import RunState
from common.protocol.status import EtaView
from common.settings.grid import GridConfig
from common.whole_file import write_whole
from coordinator.queue.checkpoints import saved_folds
from coordinator.runs.runs import find_run
from coordinator.store.database import Database, Transaction
from coordinator.store.rows import JOBS, AttemptRow, JobRow, RunRow, all_of
from coordinator.store.tables import jobs, runs
from coordinator.views.jobs import survey_report, training_report
from coordinator.views.shapes import attempt_view, attempts_of, progress_of, run_view

PROGRESS_SCHEMA = "nighttrain.progress/1"
PROGRESS_FILE = "night_training_checkpoint.json"


def results_path(logs: Path, run: RunRow) -> Path:
    """Return where the results of a run belong, by the time of its end: written again it is the same file."""
    assert run.decided is not None
    return logs / f"batch_train_results_{run.decided:%Y%m%d_%H%M%S}.json"


def write_results(tx: Transaction, run: RunRow, path: Path) -> None:
    """Write the results of a run whose jobs are all final.

    Raises
    ------
    StorageError
        The file could not be written.
    """
    document = results_of(tx, run).model_dump_json(by_alias=True, indent=1)
    write_whole(path, (document + "\n").encode())


def read_results(database: Database, run_id: int) -> Results:
    """Return the results of a run.

    Raises
    ------
    NotFoundError
        There is no such run, or it has not ended yet.
    """
    with database.read() as tx:
        run = find_run(tx, run_id)
        if run.state is RunState.RUNNING:
            raise NotFoundError(
                f"run {run_id} has not ended, so it has no results", "ask /api/status how far it is"
            )
        return results_of(tx, run)


def results_of(tx: Transaction, run: RunRow) -> Results:
    """Return the results of a run whose jobs are all final."""
    assert run.decided is not None
    found = _jobs_of(tx, run)
    history = attempts_of(tx, [job.id for job in found])
    cells = [_job_result(tx, job, history[job.id]) for job in found if job.kind is JobKind.TRAINING]
    surveys = [_survey_result(tx, job, history[job.id]) for job in found if job.kind is JobKind.SURVEY]
    ended = [attempt for tries in history.values() for attempt in tries]
    peaks = [attempt.peak_memory_bytes for attempt in ended if attempt.peak_memory_bytes is not None]
    states = [cell.state for cell in cells]
    return Results(
        run=run.id,
        config=GridConfig.model_validate_json(run.config),
        synthetic=run.synthetic,
        started=run.created,
        finished=run.decided,
        totals=Totals(
            jobs=len(cells),
            succeeded=states.count(JobState.SUCCEEDED),
            failed=states.count(JobState.FAILED),
            cancelled=states.count(JobState.CANCELLED),
            promoted=sum(cell.promoted for cell in cells),
            attempts=len(ended),
            wall_seconds=(run.decided - run.created).total_seconds(),
            job_seconds=sum(attempt.seconds or 0.0 for attempt in ended),
            peak_memory_bytes=max(peaks, default=None),
        ),
        jobs=tuple(cells),
        surveys=tuple(surveys),
    )


def write_progress(database: Database, path: Path, eta: EtaView) -> None:
    """Write how far the newest run is, for whoever looks at the folder without asking the coordinator.

    Raises
    ------
    StorageError
        The file could not be written.
    """
    with database.read() as tx:
        row = tx.connection.execute(all_of(runs).order_by(runs.c.id.desc()).limit(1)).first()
        if row is None:
            return
        document = _progress(tx, RunRow.of(row), eta)
    write_whole(path, (json.dumps(document, indent=1) + "\n").encode())


def _progress(tx: Transaction, run: RunRow, eta: EtaView) -> dict[str, Any]:
    found = _jobs_of(tx, run)
    history = attempts_of(tx, [job.id for job in found if job.state is JobState.LEASED])
    folds = saved_folds(tx, [job.id for job in found])
    return {
        "schema": PROGRESS_SCHEMA,
        "written": _iso(tx.now),
        "run": run_view(tx, run).model_dump(mode="json", exclude={"config"}),
        "eta": eta.model_dump(mode="json"),
        "jobs": [
            {
                "id": job.id,
                "job": job.name,
                "state": job.state,
                "cause": job.cause,
                "message": job.message,
                "trainer": history[job.id][-1].trainer if job.id in history else "",
                "progress": _shown_progress(history[job.id][-1]) if job.id in history else None,
                "folds_saved": folds.get(job.id, 0),
                "changed": _iso(job.changed),
            }
            for job in found
        ],
    }


def _jobs_of(tx: Transaction, run: RunRow) -> list[JobRow]:
    query = JOBS.where(jobs.c.run_id == run.id).order_by(jobs.c.ordinal)
    return [JobRow.of(row) for row in tx.connection.execute(query)]


def _shown_progress(attempt: AttemptRow) -> dict[str, Any] | None:
    progress = progress_of(attempt)
    return progress.model_dump(mode="json") if progress else None


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _job_result(tx: Transaction, job: JobRow, history: list[AttemptRow]) -> JobResult:
    report = training_report(tx, job)
    last = history[-1] if history else None
    reasons: tuple[str, ...] = tuple(json.loads(job.reasons))
    if job.state is not JobState.SUCCEEDED:
        reasons = (f"it was not trained: {job.message}",)
    elif job.promoted is None:
        reasons = ("the run was cancelled before its models were decided on",)
    return JobResult(
        symbol=job.symbol,
        timeframe=job.cell.timeframe,
        horizon=job.cell.horizon,
        state=job.state,
        cause=job.cause,
        message=job.message,
        rows=report.rows if report else job.rows,
        span=report.span if report else None,
        scores=Scores.model_validate_json(job.scores) if job.scores else None,
        folds=tuple(_fold_result(fold) for fold in report.folds) if report else (),
        p_value=job.p_value,
        promoted=bool(job.promoted),
        refused_by=tuple(json.loads(job.refused_by)),
        reasons=reasons,
        seconds=last.seconds if last else None,
        peak_memory_bytes=last.peak_memory_bytes if last else None,
        attempts=tuple(attempt_view(attempt) for attempt in history),
    )


def _fold_result(fold: FoldReport) -> FoldResult:
    return FoldResult(**{name: getattr(fold, name) for name in FoldResult.model_fields})


def _survey_result(tx: Transaction, job: JobRow, history: list[AttemptRow]) -> SurveyResult:
    last = history[-1] if history else None
    return SurveyResult(
        symbol=job.symbol,
        state=job.state,
        cause=job.cause,
        message=job.message,
        report=survey_report(tx, job),
        seconds=last.seconds if last else None,
        peak_memory_bytes=last.peak_memory_bytes if last else None,
        attempts=tuple(attempt_view(attempt) for attempt in history),
    )
