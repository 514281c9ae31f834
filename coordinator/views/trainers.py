"""The trainers that are known at one moment: who is at work, who is idle, and who is lost.

A trainer that falls silent while it holds a job is lost: its last lease expired. It is shown for an
hour. One that was stopped has given its job back, or had none; its silence means that it was meant to go. So
scaling down raises no alarm, and a kill does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from common.protocol.job_views import Outcome
from common.protocol.status import HostView, TrainerState, TrainerView
from common.settings.night import NightSettings
from coordinator.policy.admission import Host
from coordinator.queue.snapshot import Snapshot
from coordinator.store.database import Transaction
from coordinator.store.prepared import Prepared
from coordinator.store.rows import JOBS, PRESENT_TRAINERS, AttemptRow, JobRow, TrainerRow, all_of
from coordinator.store.tables import attempts, jobs

SHOWN_SECONDS = 3600.0
"""For how long a lost trainer is shown."""

REPORTED_BY_TRAINER = (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.RELEASED)
"""Ends of an attempt that the trainer itself has reported."""

_PRESENT = Prepared(PRESENT_TRAINERS)


@dataclass(frozen=True)
class KnownTrainer:
    """A trainer and what it does; `lease` is the attempt it works on, `last_seen` when it last reported."""

    row: TrainerRow
    state: TrainerState
    lease: AttemptRow | None
    last_seen: datetime


def known_trainers(tx: Transaction, snapshot: Snapshot) -> list[KnownTrainer]:
    """Return the live trainers and the lost ones, by name."""
    leases = {lease.boot_id: lease for lease in snapshot.leases}
    live = {trainer.boot_id for trainer in snapshot.live}
    present = [TrainerRow.of(row) for row in _PRESENT.on(tx.connection)]
    last = last_attempts(tx, [trainer.boot_id for trainer in present if trainer.boot_id not in live])
    known = []
    for trainer in present:
        lease = leases.get(trainer.boot_id)
        if lease is not None:
            seen = max(trainer.last_seen, lease.renewed)
            known.append(KnownTrainer(trainer, TrainerState.WORKING, lease, seen))
        elif trainer.boot_id in live:
            known.append(KnownTrainer(trainer, TrainerState.IDLE, None, trainer.last_seen))
        elif trainer.boot_id in last:
            silent = _silent(trainer, last[trainer.boot_id], snapshot)
            known += [silent] if silent is not None else []
    return known


def _silent(trainer: TrainerRow, last: AttemptRow, snapshot: Snapshot) -> KnownTrainer | None:
    seen = max(trainer.last_seen, last.renewed)
    if last.ended is not None and last.outcome in REPORTED_BY_TRAINER:
        seen = max(seen, last.ended)
    silence = (snapshot.now - seen).total_seconds()
    if silence <= snapshot.settings.lease.seconds and last.outcome is not Outcome.EXPIRED:
        # It has just ended a long job, and will ask for the next.
        return KnownTrainer(trainer, TrainerState.IDLE, None, seen)
    if silence <= SHOWN_SECONDS and last.outcome is Outcome.EXPIRED:
        return KnownTrainer(trainer, TrainerState.LOST, None, seen)
    return None


def last_attempts(tx: Transaction, boot_ids: list[str]) -> dict[str, AttemptRow]:
    """Return the newest attempt of each process that has had one, by boot id."""
    if not boot_ids:
        return {}
    newest = (
        select(func.max(attempts.c.id)).where(attempts.c.boot_id.in_(boot_ids)).group_by(attempts.c.boot_id)
    )
    query = all_of(attempts).where(attempts.c.id.in_(newest))
    return {row.boot_id: AttemptRow.of(row) for row in tx.connection.execute(query)}


def host_views(hosts: Iterable[Host], settings: NightSettings) -> tuple[HostView, ...]:
    """Return the hosts of the live trainers, with how many may work at once, and why."""
    return tuple(
        HostView(
            name=host.name,
            trainers=host.trainers,
            working=host.leases,
            limit=host.limit,
            reason=host.limit_reason,
            asked_for=settings.num_workers != "auto",
        )
        for host in hosts
    )


def trainer_views(tx: Transaction, known: Sequence[KnownTrainer]) -> list[TrainerView]:
    """Return trainers with what they are doing."""
    leased = [one.lease.job_id for one in known if one.lease is not None]
    names = {row.id: JobRow.of(row).name for row in tx.connection.execute(JOBS.where(jobs.c.id.in_(leased)))}
    counts = (
        select(attempts.c.boot_id, func.count())
        .where(attempts.c.outcome == Outcome.SUCCEEDED)
        .where(attempts.c.boot_id.in_([one.row.boot_id for one in known]))
        .group_by(attempts.c.boot_id)
    )
    finished = {boot_id: int(count) for boot_id, count in tx.connection.execute(counts)}
    return [
        TrainerView.of(
            one.row,
            state=one.state,
            job_id=one.lease.job_id if one.lease else None,
            job=names[one.lease.job_id] if one.lease else "",
            progress=one.lease.reported if one.lease else None,
            jobs_finished=finished.get(one.row.boot_id, 0),
            last_seen=one.last_seen,
        )
        for one in known
    ]
