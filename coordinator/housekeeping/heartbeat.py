"""The heartbeat, by which the next process knows for how long there was no coordinator.

While the coordinator is away Prometheus fires NighttrainCoordinatorDown, and Alertmanager cannot report that
to the one that is away. So each process records a heartbeat every few seconds, and when it stops; by that the
next one finds how the last one ended, and stores the absence among the alerts, as one that is resolved.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, update

from coordinator.alerts import store_own
from coordinator.housekeeping.duty import Duty, Turn
from coordinator.store.database import Database, Transaction
from coordinator.store.rows import all_of, running_run
from coordinator.store.seats import SOLE, Seat, others_present, place_of, refuse_strangers
from coordinator.store.tables import lives

logger = logging.getLogger(__name__)

BEAT_SECONDS = 10.0
"""How often a heartbeat is recorded; a process was there for so much longer than its last one, at most."""

SHORT_SECONDS = 60.0
"""A clean stop that is shorter is a restart; NighttrainCoordinatorDown does not fire for it either."""

NAME = "NighttrainCoordinatorAway"
MOMENT = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True)
class Absence:
    """A time without a coordinator.

    `clean` says that it was asked to stop, `run` is the unfinished run, if there is one.
    """

    since: datetime
    until: datetime
    clean: bool
    run: int | None

    @property
    def is_recorded(self) -> bool:
        """Whether people should know: a crash always, a clean stop if it kept a run waiting."""
        if not self.clean:
            return True
        return self.run is not None and self.until - self.since >= timedelta(seconds=SHORT_SECONDS)

    @property
    def words(self) -> str:
        """The absence in words, for people."""
        seconds = (self.until - self.since).total_seconds()
        times = f"from {self.since:{MOMENT}} to {self.until:{MOMENT}} UTC ({seconds:.0f} s)"
        waited = "no job was handed out meanwhile" if self.run is None else f"night {self.run} waited for it"
        if self.clean:
            return f"The coordinator was stopped {times}; {waited}."
        return (
            f"The coordinator was down {times} although nobody had stopped it: it was killed, or its machine "
            f"went down; {waited}."
        )


class Heartbeat(Duty):
    """Keeps in the database when this process was last alive.

    Parameters
    ----------
    database : Database
        Where it is kept.
    seat : Seat
        Where this process sits among several.
    """

    name = "heartbeat"
    interval_seconds = BEAT_SECONDS
    everywhere = True

    def __init__(self, database: Database, seat: Seat = SOLE) -> None:
        self.database = database
        self.seat = seat
        self._id: int | None = None

    def start(self) -> None:
        """Record the first heartbeat, and the absence before it."""
        self._beat()

    def run(self, turn: Turn) -> None:
        """Record a heartbeat."""
        del turn
        self._beat()

    def stop(self) -> None:
        """Record that this process stops because it was asked to."""
        if self._id is None:
            return
        with self.database.write() as tx:
            tx.connection.execute(update(lives).where(lives.c.id == self._id).values(stopped=tx.now))

    def _beat(self) -> None:
        with self.database.write() as tx:
            if self._id is not None:
                tx.connection.execute(update(lives).where(lives.c.id == self._id).values(seen=tx.now))
                return
            refuse_strangers(tx, self.seat)
            absence = _absence(tx, self.seat)
            if absence is not None and absence.is_recorded:
                _record(tx, absence)
            began = _begin(tx, self.seat)
        self._id = began


def _begin(tx: Transaction, seat: Seat) -> int:
    values = {"store": seat.store, "instance": seat.instance, "place": place_of(seat)}
    made = lives.insert().values(began=tx.now, seen=tx.now, **values).returning(lives.c.id)
    return int(tx.connection.execute(made).scalar_one())


def _absence(tx: Transaction, seat: Seat) -> Absence | None:
    """Return the time in which no coordinator was there; None if there was none such."""
    if others_present(tx, seat):
        return None
    ended = func.coalesce(lives.c.stopped, lives.c.seen)
    last = tx.connection.execute(all_of(lives).order_by(ended.desc(), lives.c.id.desc()).limit(1)).first()
    if last is None:
        return None
    waiting = running_run(tx)
    since = last.stopped or last.seen
    return Absence(
        since=since,
        until=max(since, tx.now),
        clean=last.stopped is not None,
        run=None if waiting is None else waiting.id,
    )


def _record(tx: Transaction, absence: Absence) -> None:
    severity = "info" if absence.clean else "warning"
    logger.log(logging.INFO if absence.clean else logging.WARNING, "%s", absence.words)
    store_own(
        tx,
        name=NAME,
        labels={"alertname": NAME, "severity": severity, "component": "coordinator"},
        summary="The coordinator was away",
        description=absence.words,
        runbook="/runbook#nighttraincoordinatordown",
        starts=absence.since,
        ends=absence.until,
    )
