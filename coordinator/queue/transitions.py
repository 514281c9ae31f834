"""The states of a job, and the only place that writes them.

A job is leased exactly as long as it has an open attempt. So a state changes together with what causes the
change: `open_attempt` leases a queued job, `close_attempt` moves it on, `end_queued` ends a job that nobody
holds, `take_over` ends one with the result of another, and `reopen` queues one again that had ended.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import bindparam, func, literal_column, select, text, update

from common.errors import InternalError
from common.protocol.job_views import Outcome
from common.protocol.jobs import FINAL_STATES, FREE_CAUSES, Cause, JobKind, JobState
from coordinator.queue.pauses import lift_pause
from coordinator.store.database import Transaction
from coordinator.store.prepared import Prepared
from coordinator.store.rows import AttemptRow, JobRow, TrainerRow
from coordinator.store.tables import attempts, jobs

JOBS_A_STATEMENT = 2000
"""So many jobs are made by one statement at most."""

TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.LEASED, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}),
    JobState.LEASED: frozenset({JobState.QUEUED, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}),
    JobState.SUCCEEDED: frozenset({JobState.QUEUED}),
    JobState.FAILED: frozenset({JobState.QUEUED}),
    JobState.CANCELLED: frozenset({JobState.QUEUED}),
}
"""Allowed transitions. queued -> failed: refused by the survey, or no room is large enough after an oom.
queued -> succeeded: the result of an earlier run is reused.
Only an operator's retry leads out of a final state; succeeded -> queued: a survey done again for it."""


# Statements are made once: to write one anew takes longer than to have it answered.
_LAST = select(func.coalesce(func.max(attempts.c.number), 0)).where(attempts.c.job_id == bindparam("of_job"))
_NEXT_ATTEMPT = Prepared(attempts.insert().values(number=_LAST.scalar_subquery() + 1).returning(*attempts.c))
_ATTEMPT = Prepared(update(attempts).where(attempts.c.id == bindparam("this")))
_COUNTED = text("ANALYZE jobs")
# The state is written out, since there are indexes of it: see `coordinator.store.prepared`.
_FROM = {
    state: update(jobs).where(jobs.c.id == bindparam("this"), jobs.c.state == literal_column(f"'{state}'"))
    for state in JobState
}
_MOVED = {state: Prepared(statement) for state, statement in _FROM.items()}
_others = jobs.alias()
_NEWEST = select(func.max(_others.c.revision)).where(_others.c.run_id == bindparam("of_run"))
# The trigger of SQLite, which writes the row once more, leaves alone what has a new revision.
_MOVED_REVISED = {
    state: Prepared(statement.values(revision=1 + _NEWEST.scalar_subquery()))
    for state, statement in _FROM.items()
}


@dataclass(frozen=True)
class Ending:
    """How an attempt ended; seconds and peak are None where nobody could measure them.

    `artifact_sha256` is the digest of the model that it brought, None: it brought none.
    """

    outcome: Outcome
    cause: Cause | None = None
    message: str = ""
    evidence: str = ""
    seconds: float | None = None
    peak_memory_bytes: int | None = None
    room_bytes: int | None = None
    resumed_folds: int | None = None
    artifact_sha256: str | None = None


def create_jobs(tx: Transaction, run_id: int, made: Iterable[dict[str, Any]]) -> None:
    """Queue the jobs of a run, in the order given; the keys are columns of `jobs`."""
    shared = {"run_id": run_id, "state": JobState.QUEUED, "message": "", "reasons": "[]"}
    times = {"created": tx.now, "changed": tx.now}
    numbered = ({**job, **shared, **times, "ordinal": ordinal} for ordinal, job in enumerate(made))
    # A market has a hundred thousand cells: as one statement they would take memory that is never given back.
    while some := list(islice(numbered, JOBS_A_STATEMENT)):
        tx.connection.execute(jobs.insert(), some)
    if not tx.is_sole_writer:
        # PostgreSQL looks at a table that has grown after a minute, and until then plans as if it were small.
        tx.connection.execute(_COUNTED)


def open_attempt(
    tx: Transaction,
    job: JobRow,
    trainer: TrainerRow,
    *,
    room_bytes: int,
    alone: bool,
    deadline_seconds: float,
    lease_seconds: float,
) -> AttemptRow:
    """Lease a queued job to a trainer.

    Parameters
    ----------
    room_bytes : int
        How much memory the attempt may use.
    alone : bool
        Whether it gets its host for itself.
    deadline_seconds : float
        How long it may take.
    lease_seconds : float
        How long the lease is held without a renewal.

    Raises
    ------
    InternalError
        The job is not queued any more.
    """
    inserted = _NEXT_ATTEMPT.on(
        tx.connection,
        {
            "of_job": job.id,
            "job_id": job.id,
            "lease_id": uuid.uuid4().hex,
            "boot_id": trainer.boot_id,
            "trainer": trainer.name,
            "host": trainer.host,
            "alone": alone,
            "memory_limit_bytes": room_bytes,
            "deadline_seconds": deadline_seconds,
            "started": tx.now,
            "renewed": tx.now,
            "expires": tx.now + timedelta(seconds=lease_seconds),
            "outcome": Outcome.RUNNING,
            "charged": True,
            "message": "",
            "evidence": "",
        },
    )
    attempt = AttemptRow.of(inserted.one())
    _move(tx, job, JobState.LEASED, not_before=None, started=job.started or tx.now)
    return attempt


def close_attempt(
    tx: Transaction,
    job: JobRow,
    attempt: AttemptRow,
    ending: Ending,
    state: JobState,
    retry_in_seconds: float | None = None,
    **changes: Any,
) -> None:
    """Record how an attempt ended, and move its job on.

    Unless the attempt could not be written, its trainer can write again.

    Parameters
    ----------
    state : JobState
        Where the job goes.
    retry_in_seconds : float or None
        How long a job that is queued again waits.
    **changes
        What else changes in the job's row.

    Raises
    ------
    InternalError
        The job is not leased any more.
    """
    _ATTEMPT.on(
        tx.connection,
        {
            "this": attempt.id,
            "outcome": ending.outcome,
            "cause": ending.cause,
            "charged": ending.cause not in FREE_CAUSES,
            "message": ending.message,
            "evidence": ending.evidence,
            "retry_in_seconds": retry_in_seconds,
            "ended": tx.now,
            "seconds": ending.seconds,
            "peak_memory_bytes": ending.peak_memory_bytes,
            "resumed_folds": ending.resumed_folds,
            "artifact_sha256": ending.artifact_sha256 or attempt.artifact_sha256,
        },
    )
    if ending.cause is not Cause.STORAGE:
        lift_pause(tx, attempt.boot_id)
    _move(tx, job, state, **changes)


def end_queued(tx: Transaction, job: JobRow, state: JobState, cause: Cause, message: str) -> None:
    """End a job that nobody holds, without another attempt.

    Raises
    ------
    InternalError
        The job is not queued any more, or it cannot end so.
    """
    assert job.state is JobState.QUEUED
    _move(tx, job, state, cause=cause, message=message)


def take_over(tx: Transaction, job: JobRow, message: str, **changes: Any) -> None:
    """End a queued training job with the result of an earlier one, without an attempt.

    Parameters
    ----------
    message : str
        Whose result it is, in words.
    **changes
        What the result puts into the job's row.

    Raises
    ------
    InternalError
        The job is not queued any more.
    """
    assert job.state is JobState.QUEUED and job.kind is JobKind.TRAINING
    _move(tx, job, JobState.SUCCEEDED, message=message, **changes)


def reopen(tx: Transaction, job: JobRow, *, waiting_since: datetime | None, forgiven: int) -> None:
    """Queue a job again that had ended: it failed or was cancelled, or it is a survey.

    Parameters
    ----------
    waiting_since : datetime or None
        Since when it can be handed out; None while it waits for its symbol's survey.
    forgiven : int
        The last attempt that no longer counts against any budget.

    Raises
    ------
    InternalError
        The job has moved meanwhile, has not ended, or has a result that would be lost.
    """
    if job.state not in FINAL_STATES or (job.state is JobState.SUCCEEDED and job.kind is JobKind.TRAINING):
        raise InternalError(f"job {job.id} ({job.name}) cannot be queued again: it is {job.state}")
    fresh: dict[str, Any] = {"cause": None, "message": "", "finished": None}
    # What it ran out of is forgotten too: whoever has it tried again has perhaps made room.
    fresh |= {"not_before": None, "wanted_next": None, "oom_room_bytes": None}
    _move(tx, job, JobState.QUEUED, **fresh, waiting_since=waiting_since, forgiven=forgiven)


def _move(tx: Transaction, job: JobRow, state: JobState, **changes: Any) -> None:
    if state not in TRANSITIONS[job.state]:
        raise InternalError(f"job {job.id} ({job.name}) cannot go from {job.state} to {state}")
    if state in FINAL_STATES:
        changes["finished"] = tx.now
    moved = {"this": job.id, "state": state, "changed": tx.now, **changes}
    statements = _MOVED
    if tx.is_sole_writer:
        statements, moved = _MOVED_REVISED, {**moved, "of_run": job.run_id}
    changed = statements[job.state].on(tx.connection, moved)
    if changed.rowcount != 1:
        raise InternalError(f"job {job.id} ({job.name}) was no longer {job.state}")
