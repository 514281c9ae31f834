"""How an attempt ends, and what becomes of its job: done, tried again later, failed, or queued as before.

Attempts are counted by cause, as far as they are charged; `policy.retry` decides on them. A clean stop, a
disk that cannot be written, the close of the night and a cancellation charge nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

from sqlalchemy import delete, func, select

from common.protocol.jobs import FREE_CAUSES, Cause, JobKind, JobState
from common.settings.night import NightSettings
from coordinator.policy.retry import retry_wait_seconds
from coordinator.queue.breakers import record_failure, record_success
from coordinator.queue.history import SURVEY, Measurement, record_measurement
from coordinator.queue.pauses import pause_trainer
from coordinator.queue.transitions import Ending, close_attempt, end_queued
from coordinator.store.database import Transaction
from coordinator.store.rows import JOBS, AttemptRow, JobRow
from coordinator.store.tables import attempts, jobs

KEPT_ATTEMPTS = 10
"""How many of a job's attempts that could not be written are kept besides the first: a disk may come and go
for days.
"""


@dataclass(frozen=True)
class Verdict:
    """What became of the job: its state, and the wait before the next attempt if there is one."""

    state: JobState
    retry_in_seconds: float | None = None


def give_back(tx: Transaction, job: JobRow, attempt: AttemptRow, ending: Ending) -> Verdict:
    """End an attempt through no fault of the job: it is back in its place in the queue, free of charge."""
    close_attempt(tx, job, attempt, ending, JobState.QUEUED, 0.0, not_before=None)
    return Verdict(JobState.QUEUED, 0.0)


def defer(tx: Transaction, job: JobRow, attempt: AttemptRow, ending: Ending) -> Verdict:
    """End an attempt that could not be written: free of charge.

    The trainer pauses. The job waits twice as long, so that the trainer tries another one first.
    """
    wait = 2 * pause_trainer(tx, attempt, ending.message)
    not_before = tx.now + timedelta(seconds=wait)
    close_attempt(tx, job, attempt, ending, JobState.QUEUED, wait, not_before=not_before)
    _forget_middle(tx, job)
    return Verdict(JobState.QUEUED, wait)


def fail_attempt(
    tx: Transaction, job: JobRow, attempt: AttemptRow, ending: Ending, settings: NightSettings, random: Random
) -> Verdict:
    """End an attempt that failed; the job is retried unless the budget of the cause is spent."""
    cause = ending.cause
    assert cause is not None and cause not in FREE_CAUSES
    wait = retry_wait_seconds(cause, _spent(tx, job, attempt), settings.retry, random)
    record_failure(tx, job, cause, settings)
    room = job.oom_room_bytes
    if cause is Cause.OOM:
        room = max(room or 0, ending.room_bytes or attempt.memory_limit_bytes)
    if wait is None:
        failed: dict[str, Any] = {"cause": cause, "message": ending.message, "oom_room_bytes": room}
        close_attempt(tx, job, attempt, ending, JobState.FAILED, **failed)
        if job.kind is JobKind.SURVEY:
            fail_cells(tx, job, cause, f"the survey of {job.symbol} failed: {ending.message}")
        return Verdict(JobState.FAILED)
    not_before = tx.now + timedelta(seconds=wait)
    later: dict[str, Any] = {"waiting_since": not_before, "not_before": not_before, "oom_room_bytes": room}
    close_attempt(tx, job, attempt, ending, JobState.QUEUED, wait, **later)
    return Verdict(JobState.QUEUED, wait)


def succeed(tx: Transaction, job: JobRow, attempt: AttemptRow, ending: Ending, **changes: Any) -> Verdict:
    """End an attempt and its job with a result."""
    close_attempt(tx, job, attempt, ending, JobState.SUCCEEDED, **changes)
    if not ending.resumed_folds and ending.seconds is not None and ending.peak_memory_bytes is not None:
        took = Measurement(job.timeframe or SURVEY, job.rows or 0, ending.seconds, ending.peak_memory_bytes)
        record_measurement(tx, attempt.id, took)
    record_success(tx, job)
    return Verdict(JobState.SUCCEEDED)


def fail_cells(tx: Transaction, survey: JobRow, cause: Cause, message: str) -> None:
    """Fail every cell of a symbol that has no survey and will never get one."""
    query = JOBS.where(
        jobs.c.run_id == survey.run_id,
        jobs.c.symbol == survey.symbol,
        jobs.c.kind == JobKind.TRAINING,
        jobs.c.state == JobState.QUEUED,
    ).order_by(jobs.c.id)
    for row in tx.connection.execute(query.with_for_update()).all():
        end_queued(tx, JobRow.of(row), JobState.FAILED, cause, message)


def _forget_middle(tx: Transaction, job: JobRow) -> None:
    unwritten = (
        select(attempts.c.id)
        .where(attempts.c.job_id == job.id, attempts.c.cause == Cause.STORAGE)
        .order_by(attempts.c.id)
    )
    middle = list(tx.connection.execute(unwritten).scalars())[1:-KEPT_ATTEMPTS]
    if middle:
        tx.connection.execute(delete(attempts).where(attempts.c.id.in_(middle)))


def _spent(tx: Transaction, job: JobRow, attempt: AttemptRow) -> dict[Cause, int]:
    query = (
        select(attempts.c.cause, func.count())
        .where(attempts.c.job_id == job.id, attempts.c.charged, attempts.c.id != attempt.id)
        .where(attempts.c.cause.is_not(None), attempts.c.number > job.forgiven)
        .group_by(attempts.c.cause)
    )
    return {Cause(cause): count for cause, count in tx.connection.execute(query)}
