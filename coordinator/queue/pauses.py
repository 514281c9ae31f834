"""Trainers that pause, because an attempt of theirs could not be written or had no candles yet."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import bindparam, select, update

from coordinator.policy.disk import is_of_store, pause_seconds
from coordinator.store.database import Transaction
from coordinator.store.prepared import Prepared
from coordinator.store.rows import AttemptRow
from coordinator.store.tables import trainers

_LIFTED = Prepared(
    update(trainers)
    .where(trainers.c.boot_id == bindparam("boot"), trainers.c.paused_until.is_not(None))
    .values(note="", blocked_since=None, paused_until=None, paused_by="")
)


def pause_trainer(tx: Transaction, attempt: AttemptRow, why: str) -> float:
    """Let the trainer of an attempt that could not be written pause, and return for how many seconds."""
    this = trainers.c.boot_id == attempt.boot_id
    blocked_since = tx.connection.execute(select(trainers.c.blocked_since).where(this)).scalar() or tx.now
    pause = pause_seconds((tx.now - blocked_since).total_seconds())
    tx.connection.execute(
        update(trainers)
        .where(this)
        .values(
            blocked_since=blocked_since,
            paused_until=tx.now + timedelta(seconds=pause),
            paused_by=why,
            note=blocked_words(attempt.trainer, blocked_since, why),
        )
    )
    return pause


def lift_pause(tx: Transaction, boot_id: str) -> None:
    """Record that a trainer can write, after an attempt of it that could not be written."""
    _LIFTED.on(tx.connection, {"boot": boot_id})


def blocked_words(trainer: str, since: datetime, why: str, cannot_write: bool = True) -> str:
    """Return in words that a trainer gets no job, because of its disk or of the store of its candles."""
    what = "cannot write" if cannot_write else "has had too little room"
    if is_of_store(why):
        what = "waits for candles"
    return f"trainer {trainer} {what} since {since:%H:%M:%S} UTC: {why}"
