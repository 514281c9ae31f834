"""Leases: who holds one, who lost it, and what a trainer's start, silence or restart does to them.

A lease is an open attempt. It is held until the attempt is closed: by its trainer, by the same trainer's
next start, by its expiry on the coordinator's clock, or by a cancellation.
"""

from __future__ import annotations

from datetime import timedelta
from random import Random

from sqlalchemy import Select, bindparam, select, update

from common.errors import ConflictError, NotFoundError, StaleLeaseError
from common.protocol.job_views import Outcome
from common.protocol.jobs import Cause
from common.protocol.trainers import TrainerHello
from common.settings.night import NightSettings
from coordinator.queue.attempts import Verdict, fail_attempt
from coordinator.queue.transitions import Ending
from coordinator.store.database import Transaction
from coordinator.store.prepared import Prepared
from coordinator.store.rows import (
    JOBS,
    OPEN_ATTEMPTS,
    PRESENT_TRAINERS,
    AttemptRow,
    JobRow,
    RunRow,
    TrainerRow,
    all_of,
)
from coordinator.store.tables import attempts, jobs, runs, trainers

PAUSE = ("note", "blocked_since", "paused_until", "paused_by")
"""What a trainer's row says of a disk that could not be written."""

_LEASE_LOCKED = all_of(attempts).where(attempts.c.lease_id == bindparam("lease")).with_for_update()
_LEASE = Prepared(all_of(attempts).where(attempts.c.lease_id == bindparam("lease")))
_TRAINER_LOCKED = all_of(trainers).where(trainers.c.boot_id == bindparam("boot")).with_for_update()
_TRAINER = Prepared(all_of(trainers).where(trainers.c.boot_id == bindparam("boot")))
_HOST_LOCKED = PRESENT_TRAINERS.where(trainers.c.host == bindparam("host")).with_for_update()
_JOB_LOCKED = Prepared(JOBS.where(jobs.c.id == bindparam("job")).with_for_update())
_RUN_OF_JOB = Prepared(
    all_of(runs).join_from(runs, jobs, runs.c.id == jobs.c.run_id).where(jobs.c.id == bindparam("job"))
)

Loss = tuple[JobRow, AttemptRow, Verdict]
"""A job whose lease was lost, the attempt, and what became of the job."""


def attempt_of(tx: Transaction, lease_id: str) -> AttemptRow:
    """Return the attempt of a lease, locked after its trainer; it may be closed.

    Raises
    ------
    StaleLeaseError
        There never was such a lease.
    """
    row = _LEASE.on(tx.connection, {"lease": lease_id}).first()
    if row is not None and not tx.is_sole_writer:
        tx.connection.execute(_TRAINER_LOCKED, {"boot": row.boot_id}).all()
        row = tx.connection.execute(_LEASE_LOCKED, {"lease": lease_id}).first()
    if row is None:
        raise StaleLeaseError(f"there is no lease {lease_id}", "claim a job")
    return AttemptRow.of(row)


def lock_trainers(tx: Transaction, boot_ids: Select[tuple[str]]) -> None:
    """Lock the trainers of attempts, before these are locked.

    Whoever locks both takes first the trainers, in the order of their names, then attempts, then jobs: a
    claim and a registration begin with the trainer, and the end of an attempt says whether its trainer can
    write. Two that took them crosswise would wait for each other.
    """
    found = list(tx.connection.execute(boot_ids.distinct()).scalars())
    query = select(trainers.c.boot_id).where(trainers.c.boot_id.in_(found)).order_by(trainers.c.name)
    tx.connection.execute(query.with_for_update()).all()


def held(tx: Transaction, lease_id: str) -> tuple[AttemptRow, JobRow]:
    """Return the open attempt of a lease and its job, both locked.

    Raises
    ------
    StaleLeaseError
        The lease is no longer held; the message says how it ended.
    """
    attempt = attempt_of(tx, lease_id)
    if attempt.ended is not None:
        raise stale(attempt)
    return attempt, job_of(tx, attempt)


def stale(attempt: AttemptRow) -> StaleLeaseError:
    """Return the error that says how a lease ended."""
    why = f"{attempt.outcome} ({attempt.cause})" if attempt.cause else str(attempt.outcome)
    return StaleLeaseError(
        f"lease {attempt.lease_id} is no longer held: {why}", "drop the job and claim another"
    )


def job_of(tx: Transaction, attempt: AttemptRow) -> JobRow:
    """Return the job of an attempt, locked."""
    return JobRow.of(_JOB_LOCKED.on(tx.connection, {"job": attempt.job_id}).one())


def wanted_back(tx: Transaction, attempt: AttemptRow) -> str:
    """Return in words why an operator wants a running job to be given back, or nothing."""
    return RunRow.of(_RUN_OF_JOB.on(tx.connection, {"job": attempt.job_id}).one()).wanted_back


def register(tx: Transaction, hello: TrainerHello, settings: NightSettings, random: Random) -> list[Loss]:
    """Record that a trainer has started, and end the leases that its earlier process held.

    Raises
    ------
    ConflictError
        A later process has registered under this name already.
    """
    known = tx.connection.execute(
        all_of(trainers).where(trainers.c.boot_id == hello.boot_id).with_for_update()
    ).first()
    if known is not None and known.superseded is not None:
        raise _superseded(TrainerRow.of(known))
    reported = {**hello.model_dump(mode="json", exclude={"boot_id"}), "last_seen": tx.now}
    losses, pause = [], {}
    # One that comes again under a name that another bears takes it over, as a new process does.
    others = PRESENT_TRAINERS.where(trainers.c.name == hello.name, trainers.c.boot_id != hello.boot_id)
    for row in tx.connection.execute(others.with_for_update()).all():
        tx.connection.execute(
            update(trainers).where(trainers.c.boot_id == row.boot_id).values(superseded=tx.now)
        )
        # Another process writes to the same disk.
        pause = {name: getattr(row, name) for name in PAUSE} if row.paused_until else {}
        open_attempts = OPEN_ATTEMPTS.where(attempts.c.boot_id == row.boot_id).with_for_update()
        for attempt in tx.connection.execute(open_attempts).all():
            message = f"trainer {hello.name} was restarted while it held this job"
            losses.append(_lose(tx, AttemptRow.of(attempt), message, settings, random))
    if known is not None:
        same = trainers.c.boot_id == hello.boot_id
        tx.connection.execute(update(trainers).where(same).values(**pause, **reported))
        return losses
    tx.connection.execute(
        trainers.insert().values(
            boot_id=hello.boot_id,
            registered=tx.now,
            memory_total_bytes=0,
            memory_available_bytes=0,
            cpu_ratio=0.0,
            **{"note": "", **pause},
            **reported,
        )
    )
    return losses


def trainer_of(tx: Transaction, boot_id: str) -> TrainerRow:
    """Return the trainer of a boot id, and lock its host: the claims of one host are decided in turn.

    Raises
    ------
    NotFoundError
        It has not registered with this database.
    ConflictError
        A later process has registered under its name.
    """
    row = _TRAINER.on(tx.connection, {"boot": boot_id}).first()
    if row is None:
        raise NotFoundError(
            f"no trainer has registered with boot id {boot_id}", "register first: POST /api/trainers"
        )
    trainer = TrainerRow.of(row)
    if trainer.superseded is not None:
        raise _superseded(trainer)
    if not tx.is_sole_writer:
        tx.connection.execute(_HOST_LOCKED, {"host": trainer.host}).all()
    return trainer


def expire(tx: Transaction, settings: NightSettings, random: Random) -> list[Loss]:
    """End the leases that were not renewed in time."""
    is_overdue = attempts.c.expires < tx.now
    lock_trainers(tx, select(attempts.c.boot_id).where(attempts.c.ended.is_(None), is_overdue))
    overdue = OPEN_ATTEMPTS.where(is_overdue).with_for_update(skip_locked=True)
    losses = []
    for row in tx.connection.execute(overdue).all():
        attempt = AttemptRow.of(row)
        silence = (tx.now - attempt.renewed).total_seconds()
        message = f"trainer {attempt.trainer} was silent for {silence:.0f} s"
        losses.append(_lose(tx, attempt, message, settings, random))
    return losses


def extend(tx: Transaction, settings: NightSettings) -> int:
    """Extend every lease by a full term: the coordinator was away, which is no trainer's fault."""
    expires = tx.now + timedelta(seconds=settings.lease.seconds)
    changed = tx.connection.execute(
        update(attempts)
        .where(attempts.c.ended.is_(None), attempts.c.expires < expires)
        .values(expires=expires)
    )
    return int(changed.rowcount)


def _lose(
    tx: Transaction, attempt: AttemptRow, message: str, settings: NightSettings, random: Random
) -> Loss:
    job = job_of(tx, attempt)
    progress = attempt.reported
    ending = Ending(
        outcome=Outcome.EXPIRED,
        cause=Cause.CRASH,
        message=message,
        evidence=f"last stage: {progress.stage} {progress.done}/{progress.total}"
        if progress
        else "no progress was reported",
        seconds=(tx.now - attempt.started).total_seconds(),
        peak_memory_bytes=progress.peak_memory_bytes if progress else None,
    )
    return job, attempt, fail_attempt(tx, job, attempt, ending, settings, random)


def _superseded(trainer: TrainerRow) -> ConflictError:
    problem = f"another process has registered as trainer {trainer.name} after this one"
    return ConflictError(problem, "end this process, or give each trainer a name of its own")
