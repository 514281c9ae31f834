"""Trainers that cannot write: their jobs go back unharmed, and they get the next one after a while only.

A full disk is no fault of any job, so it spends no budget; but without a pause a trainer would run through
the whole queue again and again as long as the disk stays full. A job that could not be written waits too, so
that it does not stand in the way of others that can.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Select, delete, func, select

from common.protocol.jobs import Cause
from coordinator.store.rows import TrainerRow
from coordinator.store.tables import attempts

PAUSE_SECONDS = 2.0
MAX_PAUSE_SECONDS = 60.0

KEPT_ATTEMPTS = 10
"""So many of a trainer's last attempts in a row are kept, and the first: a disk may stay full for days."""


@dataclass(frozen=True)
class Blockage:
    """A trainer whose last attempts all ended because it could not write.

    `message` is what the last one told, `since` the end of the first, `until` when the next may begin.
    """

    trainer: str
    message: str
    since: datetime
    until: datetime

    def holds(self, now: datetime) -> bool:
        """Return whether the trainer gets no job yet."""
        return now < self.until

    @property
    def words(self) -> str:
        """Say it to people."""
        return f"trainer {self.trainer} cannot write since {self.since:%H:%M:%S} UTC: {self.message}"


def pause_seconds(failures: int) -> float:
    """Return how long a trainer pauses after so many attempts in a row that could not be written."""
    return min(MAX_PAUSE_SECONDS, PAUSE_SECONDS * 2.0 ** min(failures - 1, 16))


def job_pause_seconds(connection: Connection, job_id: int) -> float:
    """Return how long a job waits whose present attempt could not be written.

    It is longer than its trainer pauses, so that the trainer tries another one first.
    """
    before = select(func.count()).where(attempts.c.job_id == job_id, attempts.c.cause == Cause.STORAGE)
    return 2 * pause_seconds(1 + connection.execute(before).scalar_one())


def read_blockages(
    connection: Connection, trainers: Iterable[TrainerRow], now: datetime
) -> dict[str, Blockage]:
    """Return the trainers that cannot write, by boot id.

    They are told apart by name, so that a restart lifts nothing. What lifts it is an attempt that ends
    otherwise, or one that has gone on for longer than any pause.
    """
    found = {}
    longest = timedelta(seconds=MAX_PAUSE_SECONDS)
    for trainer in trainers:
        of_trainer = select(attempts.c.cause, attempts.c.message, attempts.c.started, attempts.c.ended).where(
            attempts.c.trainer == trainer.name
        )
        newest = connection.execute(of_trainer.order_by(attempts.c.id.desc()).limit(2)).all()
        if newest and newest[0].ended is None and newest[0].started < now - longest:
            continue
        last = next((attempt for attempt in newest if attempt.ended is not None), None)
        if last is None or last.cause != Cause.STORAGE:
            continue
        streak = _streak(trainer.name).subquery()
        failures, since = connection.execute(select(func.count(), func.min(streak.c.ended))).one()
        until = last.ended + timedelta(seconds=pause_seconds(failures))
        found[trainer.boot_id] = Blockage(trainer.name, last.message, since, until)
    return found


def condense(connection: Connection, trainer: str) -> None:
    """Forget all but the first and the last of a trainer's attempts in a row that could not be written."""
    ids = list(connection.execute(select(_streak(trainer).subquery().c.id)).scalars())
    middle = sorted(ids)[1:-KEPT_ATTEMPTS]
    if middle:
        connection.execute(delete(attempts).where(attempts.c.id.in_(middle)))


def _streak(trainer: str) -> Select[tuple[int, datetime]]:
    other = (
        select(func.coalesce(func.max(attempts.c.id), 0))
        .where(attempts.c.trainer == trainer, attempts.c.ended.is_not(None))
        .where(attempts.c.cause.is_distinct_from(Cause.STORAGE))
    )
    return select(attempts.c.id, attempts.c.ended).where(
        attempts.c.trainer == trainer,
        attempts.c.cause == Cause.STORAGE,
        attempts.c.id > other.scalar_subquery(),
    )
