"""Jobs that operators cancel: one, all of a run, or those that still wait when a night is ended early.

A trainer that works on such a job learns of it at its next renewal; what it sends until then is refused.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, bindparam, literal_column, select

from common.protocol.job_views import Outcome
from common.protocol.jobs import FINAL_STATES, Cause, JobKind, JobState
from coordinator.queue.leases import job_of, lock_trainers
from coordinator.queue.transitions import Ending, close_attempt, end_queued
from coordinator.store.database import Transaction
from coordinator.store.prepared import Prepared
from coordinator.store.rows import JOBS, OPEN_ATTEMPTS, AttemptRow, JobRow
from coordinator.store.tables import attempts, jobs, trainers

# Named one by one, for what is not among the others would be looked for among all that is over.
_OPEN: list[ColumnElement[str]] = [
    literal_column(f"'{state}'") for state in JobState if state not in FINAL_STATES
]
_FIRST_OPEN = Prepared(
    select(jobs.c.id).where(jobs.c.run_id == bindparam("run"), jobs.c.state.in_(_OPEN)).limit(1)
)


def cancel_all(tx: Transaction, run_id: int, message: str) -> int:
    """Cancel every job of a run that is not over, and return how many there were."""
    cancelled = 0
    # A claim or an end that was under way meanwhile moves a job from one query to the other: look again.
    while has_open_jobs(tx, run_id):
        of_run = select(jobs.c.id).where(jobs.c.run_id == run_id)
        for attempt in lock_attempts(tx, attempts.c.job_id.in_(of_run)):
            _cancel_leased(tx, attempt, message)
            cancelled += 1
        cancelled += cancel_waiting(tx, run_id, message)
    return cancelled


def cancel_waiting(tx: Transaction, run_id: int, message: str) -> int:
    """Cancel every job of a run that waits, and return how many there were."""
    queued = JOBS.where(jobs.c.run_id == run_id, jobs.c.state == JobState.QUEUED).order_by(jobs.c.id)
    rows = tx.connection.execute(queued.with_for_update()).all()
    for row in rows:
        end_queued(tx, JobRow.of(row), JobState.CANCELLED, Cause.CANCELLED, message)
    return len(rows)


def cancel_job(tx: Transaction, job: JobRow, message: str) -> list[JobRow]:
    """Cancel a locked job that is not over, and with a survey the cells that only wait for it.

    Whoever locks the job for this calls `lock_attempts` before.

    Returns
    -------
    list of JobRow
        All that were cancelled, as they were before.
    """
    cancelled = [job]
    if job.state is JobState.LEASED:
        query = OPEN_ATTEMPTS.where(attempts.c.job_id == job.id).with_for_update()
        _cancel_leased(tx, AttemptRow.of(tx.connection.execute(query).one()), message)
    else:
        end_queued(tx, job, JobState.CANCELLED, Cause.CANCELLED, message)
    if job.kind is JobKind.SURVEY:
        cells = JOBS.where(
            jobs.c.run_id == job.run_id,
            jobs.c.symbol == job.symbol,
            jobs.c.kind == JobKind.TRAINING,
            jobs.c.state == JobState.QUEUED,
            jobs.c.waiting_since.is_(None),
        ).order_by(jobs.c.id)
        for row in tx.connection.execute(cells.with_for_update()).all():
            cell = JobRow.of(row)
            why = f"the survey of {job.symbol} was cancelled: {message}"
            end_queued(tx, cell, JobState.CANCELLED, Cause.CANCELLED, why)
            cancelled.append(cell)
    return cancelled


def lock_attempts(tx: Transaction, of_jobs: ColumnElement[bool]) -> list[AttemptRow]:
    """Lock the open attempts of jobs and return them, before these jobs are locked.

    All trainers come first, as `lock_trainers` orders it: so none claims one of the jobs meanwhile.
    """
    lock_trainers(tx, select(trainers.c.boot_id).where(trainers.c.superseded.is_(None)))
    rows = tx.connection.execute(OPEN_ATTEMPTS.where(of_jobs).with_for_update()).all()
    return [AttemptRow.of(row) for row in rows]


def has_open_jobs(tx: Transaction, run_id: int) -> bool:
    """Return whether some job of a run is not over."""
    return _FIRST_OPEN.on(tx.connection, {"run": run_id}).first() is not None


def _cancel_leased(tx: Transaction, attempt: AttemptRow, message: str) -> None:
    seconds = (tx.now - attempt.started).total_seconds()
    ending = Ending(Outcome.CANCELLED, Cause.CANCELLED, message, seconds=seconds)
    job = job_of(tx, attempt)
    close_attempt(tx, job, attempt, ending, JobState.CANCELLED, cause=Cause.CANCELLED, message=message)
