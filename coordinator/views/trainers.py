"""The trainers that are known at one moment: who is at work, who is idle, and who is missed.

A trainer that falls silent while it holds a job is lost: its last lease expired. It is remembered for an
hour. One that was stopped has given its job back, or had none; then its silence means that it is gone, and
nobody misses it. So a scaling down raises no alarm, and a kill does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from common.protocol.job_views import Outcome
from common.protocol.status import TrainerState
from coordinator.queue.snapshot import Outlook
from coordinator.store.database import Transaction
from coordinator.store.rows import PRESENT_TRAINERS, AttemptRow, TrainerRow, all_of
from coordinator.store.tables import attempts

REMEMBERED_SECONDS = 3600.0
"""For how long a lost trainer is known."""

TOLD_BY_TRAINER = (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.RELEASED)
"""Ends of an attempt that the trainer itself has told of."""


@dataclass(frozen=True)
class Presence:
    """One trainer; `lease` is the attempt that it works on, `last_heard` its last sign of life."""

    trainer: TrainerRow
    state: TrainerState
    lease: AttemptRow | None
    last_heard: datetime


def read_roster(tx: Transaction, outlook: Outlook) -> list[Presence]:
    """Return the live trainers and the lost ones, by name."""
    leases = {lease.boot_id: lease for lease in outlook.leases}
    live = {trainer.boot_id for trainer in outlook.live}
    present = [TrainerRow.of(row) for row in tx.connection.execute(PRESENT_TRAINERS)]
    last = _last_attempts(tx, [trainer.boot_id for trainer in present if trainer.boot_id not in live])
    roster = []
    for trainer in present:
        lease = leases.get(trainer.boot_id)
        if lease is not None:
            heard = max(trainer.last_seen, lease.renewed)
            roster.append(Presence(trainer, TrainerState.WORKING, lease, heard))
        elif trainer.boot_id in live:
            roster.append(Presence(trainer, TrainerState.IDLE, None, trainer.last_seen))
        elif trainer.boot_id in last:
            silent = _silent(trainer, last[trainer.boot_id], outlook)
            roster += [silent] if silent is not None else []
    return roster


def _silent(trainer: TrainerRow, last: AttemptRow, outlook: Outlook) -> Presence | None:
    heard = max(trainer.last_seen, last.renewed)
    if last.ended is not None and last.outcome in TOLD_BY_TRAINER:
        heard = max(heard, last.ended)
    silence = (outlook.now - heard).total_seconds()
    if silence <= outlook.settings.lease.seconds and last.outcome is not Outcome.EXPIRED:
        # It has just ended a long job, and will ask for the next.
        return Presence(trainer, TrainerState.IDLE, None, heard)
    if silence <= REMEMBERED_SECONDS and last.outcome is Outcome.EXPIRED:
        return Presence(trainer, TrainerState.LOST, None, heard)
    return None


def _last_attempts(tx: Transaction, boot_ids: list[str]) -> dict[str, AttemptRow]:
    newest = (
        select(func.max(attempts.c.id)).where(attempts.c.boot_id.in_(boot_ids)).group_by(attempts.c.boot_id)
    )
    query = all_of(attempts).where(attempts.c.id.in_(newest))
    return {row.boot_id: AttemptRow.of(row) for row in tx.connection.execute(query)}
