"""How an attempt ends, and what becomes of its job: done, tried again later, failed, or queued as before.

Budgets are counted by cause over the attempts that are charged. Data errors are final at once; a clean
stop, a disk that cannot be written, the close of the night and a cancellation charge nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import delete, func, select, update

from common.errors import InternalError
from common.protocol.job_views import Outcome
from common.protocol.jobs import BREAKER_CAUSES, FREE_CAUSES, TRANSITIONS, Cause, JobKind, JobState
from common.settings.night import NightSettings
from coordinator.policy.breaker import Breaker
from coordinator.policy.disk import pause_seconds
from coordinator.policy.retry import backoff_seconds
from coordinator.store.database import Transaction
from coordinator.store.rows import JOBS, AttemptRow, JobRow
from coordinator.store.tables import attempts, jobs, symbols, trainers

KEPT_ATTEMPTS = 10
"""How many of a job's attempts that could not be written are kept besides the first: a disk may come and go
for days.
"""


@dataclass(frozen=True)
class Ending:
    """How an attempt ended; seconds and peak are None where nobody could measure them."""

    outcome: Outcome
    cause: Cause | None = None
    message: str = ""
    evidence: str = ""
    seconds: float | None = None
    peak_memory_bytes: int | None = None
    room_bytes: int | None = None
    resumed_folds: int | None = None


@dataclass(frozen=True)
class Verdict:
    """What became of the job: its state, and the wait before the next attempt if there is one."""

    state: JobState
    retry_in_seconds: float | None = None


def move(tx: Transaction, job: JobRow, state: JobState, **changes: Any) -> None:
    """Change a job's state by the table of transitions.

    Raises
    ------
    InternalError
        The transition is not allowed, or the job is no longer in the state that was read.
    """
    if state not in TRANSITIONS[job.state]:
        raise InternalError(f"job {job.id} ({job.name}) cannot go from {job.state} to {state}")
    changed = tx.connection.execute(
        update(jobs)
        .where(jobs.c.id == job.id, jobs.c.state == job.state)
        .values(state=state, changed=tx.now, **changes)
    )
    if changed.rowcount != 1:
        raise InternalError(f"job {job.id} ({job.name}) was no longer {job.state}")


def close(
    tx: Transaction, attempt: AttemptRow, ending: Ending, retry_in_seconds: float | None = None
) -> None:
    """Write down how an attempt ended; unless it could not be written, its trainer can write again."""
    tx.connection.execute(
        update(attempts)
        .where(attempts.c.id == attempt.id)
        .values(
            outcome=ending.outcome,
            cause=ending.cause,
            charged=ending.cause not in FREE_CAUSES,
            message=ending.message,
            evidence=ending.evidence,
            retry_in_seconds=retry_in_seconds,
            ended=tx.now,
            seconds=ending.seconds,
            peak_memory_bytes=ending.peak_memory_bytes,
            resumed_folds=ending.resumed_folds,
        )
    )
    if ending.cause is not Cause.STORAGE:
        lift_pause(tx, attempt.boot_id)


def lift_pause(tx: Transaction, boot_id: str) -> None:
    """Note that a trainer can write, after an attempt of it that could not be written."""
    tx.connection.execute(
        update(trainers)
        .where(trainers.c.boot_id == boot_id, trainers.c.paused_until.is_not(None))
        .values(note="", blocked_since=None, paused_until=None, paused_by="")
    )


def give_back(tx: Transaction, job: JobRow, attempt: AttemptRow, ending: Ending) -> Verdict:
    """End an attempt through no fault of the job: it is back in its place in the queue, free of charge."""
    close(tx, attempt, ending, 0.0)
    move(tx, job, JobState.QUEUED, not_before=None)
    return Verdict(JobState.QUEUED, 0.0)


def postpone(tx: Transaction, job: JobRow, attempt: AttemptRow, ending: Ending) -> Verdict:
    """End an attempt that could not be written: free of charge.

    The trainer pauses. The job waits twice as long, so that the trainer tries another one first.
    """
    this = trainers.c.boot_id == attempt.boot_id
    blocked_since = tx.connection.execute(select(trainers.c.blocked_since).where(this)).scalar() or tx.now
    pause = pause_seconds((tx.now - blocked_since).total_seconds())
    close(tx, attempt, ending, 2 * pause)
    tx.connection.execute(
        update(trainers)
        .where(this)
        .values(
            blocked_since=blocked_since,
            paused_until=tx.now + timedelta(seconds=pause),
            paused_by=ending.message,
            note=blocked_words(attempt.trainer, blocked_since, ending.message),
        )
    )
    move(tx, job, JobState.QUEUED, not_before=tx.now + timedelta(seconds=2 * pause))
    _forget_middle(tx, job)
    return Verdict(JobState.QUEUED, 2 * pause)


def blocked_words(trainer: str, since: datetime, why: str) -> str:
    """Return in words that a trainer gets no job, because its disk has no room for one."""
    return f"trainer {trainer} cannot write since {since:%H:%M:%S} UTC: {why}"


def _forget_middle(tx: Transaction, job: JobRow) -> None:
    unwritten = (
        select(attempts.c.id)
        .where(attempts.c.job_id == job.id, attempts.c.cause == Cause.STORAGE)
        .order_by(attempts.c.id)
    )
    middle = list(tx.connection.execute(unwritten).scalars())[1:-KEPT_ATTEMPTS]
    if middle:
        tx.connection.execute(delete(attempts).where(attempts.c.id.in_(middle)))


def fault(
    tx: Transaction, job: JobRow, attempt: AttemptRow, ending: Ending, settings: NightSettings, random: Random
) -> Verdict:
    """End an attempt by a fault; the job is tried again unless the budget of the cause is spent."""
    cause = ending.cause
    assert cause is not None and cause not in FREE_CAUSES
    spent = _spent(tx, job, attempt)
    room = job.oom_room_bytes
    if cause is Cause.OOM:
        room = max(room or 0, ending.room_bytes or attempt.memory_limit_bytes)
    if job.kind is JobKind.TRAINING and cause in BREAKER_CAUSES:
        _tell_breaker(tx, job, cause, settings)
    if cause is Cause.DATA or spent.get(cause, 0) + 1 >= _budget(settings, cause):
        close(tx, attempt, ending)
        move(
            tx,
            job,
            JobState.FAILED,
            cause=cause,
            message=ending.message,
            oom_room_bytes=room,
            finished=tx.now,
        )
        if job.kind is JobKind.SURVEY:
            fail_cells(tx, job, cause, f"the survey of {job.symbol} failed: {ending.message}")
        return Verdict(JobState.FAILED)
    retry = settings.retry
    wait = backoff_seconds(sum(spent.values()) + 1, retry.backoff_base, retry.backoff_cap, random)
    not_before = tx.now + timedelta(seconds=wait)
    close(tx, attempt, ending, wait)
    move(tx, job, JobState.QUEUED, waiting_since=not_before, not_before=not_before, oom_room_bytes=room)
    return Verdict(JobState.QUEUED, wait)


def succeed(tx: Transaction, job: JobRow, attempt: AttemptRow, ending: Ending, **changes: Any) -> Verdict:
    """End an attempt and its job with a result."""
    close(tx, attempt, ending)
    move(tx, job, JobState.SUCCEEDED, finished=tx.now, **changes)
    if job.kind is JobKind.TRAINING:
        breaker = breaker_of(tx, job)
        if breaker != breaker.succeeded():
            _keep_breaker(tx, job, breaker.succeeded())
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
        move(tx, JobRow.of(row), JobState.FAILED, cause=cause, message=message, finished=tx.now)


def breaker_of(tx: Transaction, job: JobRow) -> Breaker:
    """Return the breaker of a job's symbol, locked until the end of the transaction."""
    row = tx.connection.execute(
        select(symbols.c.failing, symbols.c.parked_until)
        .where(symbols.c.run_id == job.run_id, symbols.c.symbol == job.symbol)
        .with_for_update()
    ).one()
    return Breaker(frozenset(json.loads(row.failing)), row.parked_until)


def _tell_breaker(tx: Transaction, job: JobRow, cause: Cause, settings: NightSettings) -> None:
    rule = settings.breaker
    breaker = breaker_of(tx, job).failed(job.id, cause, tx.now, rule.failures, rule.park_seconds)
    _keep_breaker(tx, job, breaker)


def _keep_breaker(tx: Transaction, job: JobRow, breaker: Breaker) -> None:
    tx.connection.execute(
        update(symbols)
        .where(symbols.c.run_id == job.run_id, symbols.c.symbol == job.symbol)
        .values(failing=json.dumps(sorted(breaker.failing)), parked_until=breaker.parked_until)
    )


def _spent(tx: Transaction, job: JobRow, attempt: AttemptRow) -> dict[Cause, int]:
    query = (
        select(attempts.c.cause, func.count())
        .where(attempts.c.job_id == job.id, attempts.c.charged, attempts.c.id != attempt.id)
        .where(attempts.c.cause.is_not(None))
        .group_by(attempts.c.cause)
    )
    return {Cause(cause): count for cause, count in tx.connection.execute(query)}


def _budget(settings: NightSettings, cause: Cause) -> int:
    retry = settings.retry
    budgets = {
        Cause.ERROR: retry.error,
        Cause.CRASH: retry.crash,
        Cause.TIMEOUT: retry.timeout,
        Cause.OOM: retry.oom,
        Cause.DATA: 1,
    }
    return budgets[cause]
