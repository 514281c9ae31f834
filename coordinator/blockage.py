"""Trainers that cannot write: their jobs go back unharmed, and they get the next one after a while only.

A full disk is no fault of any job, so it spends no budget; but without a pause a trainer would run through
the whole queue again and again as long as the disk stays full.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from common.jobs import Cause
from coordinator.rows import TrainerRow
from coordinator.tables import attempts

PAUSE_SECONDS = 2.0
MAX_PAUSE_SECONDS = 60.0


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
    """Return how long a trainer pauses after so many attempts in a row that could not write."""
    return min(MAX_PAUSE_SECONDS, PAUSE_SECONDS * 2.0 ** min(failures - 1, 16))


def read_blockages(connection: Connection, trainers: Iterable[TrainerRow]) -> dict[str, Blockage]:
    """Return the trainers that cannot write, by boot id; an attempt that ends otherwise lifts it."""
    found = {}
    for trainer in trainers:
        ended = select(attempts.c.id, attempts.c.cause, attempts.c.message, attempts.c.ended).where(
            attempts.c.boot_id == trainer.boot_id, attempts.c.ended.is_not(None)
        )
        last = connection.execute(ended.order_by(attempts.c.id.desc()).limit(1)).first()
        if last is None or last.cause != Cause.STORAGE:
            continue
        other = (
            select(func.coalesce(func.max(attempts.c.id), 0))
            .where(attempts.c.boot_id == trainer.boot_id, attempts.c.ended.is_not(None))
            .where(attempts.c.cause.is_distinct_from(Cause.STORAGE))
        )
        row = connection.execute(
            select(func.count(), func.min(attempts.c.ended)).where(
                attempts.c.boot_id == trainer.boot_id,
                attempts.c.cause == Cause.STORAGE,
                attempts.c.id > other.scalar_subquery(),
            )
        ).one()
        failures, since = row
        until = last.ended + timedelta(seconds=pause_seconds(failures))
        found[trainer.boot_id] = Blockage(trainer.name, last.message, since, until)
    return found
