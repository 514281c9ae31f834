"""The leader of several coordinators over one PostgreSQL database: a lease in a row, with a fencing number.

Whoever leads renews the lease; when it is over, another takes it and raises the number. All moments are the
database's own, so that clocks of machines need not agree. Each write of a leader begins with a look at the
row, whose key it locks: a leader that was stopped and comes back finds another number and writes nothing, and
one that is in the middle of a write is waited for. As it may have been stopped there, or its machine may be
gone, whoever takes over first ends its connections; what they had not committed is undone.

Why a row and not an advisory lock: that is held by a connection and not by a number, so a leader whose
connection was lost does not know, and of what it writes by another connection nobody can tell.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from common.errors import NighttrainError, UnavailableError
from coordinator.housekeeping.leader import Leadership
from coordinator.store.database import Database, Transaction
from coordinator.store.seats import Seat

logger = logging.getLogger(__name__)

LEASE_SECONDS = 6.0
"""How long a leader that does not renew remains one."""
TRY_SECONDS = 1.0
"""How often it renews, and the others look."""
SKEW_SECONDS = 2.0
"""By so much this machine's clock may differ from the database's before people are told."""

_RENEW = text(
    "UPDATE leadership SET expires = clock_timestamp() + make_interval(secs => :seconds) "
    "WHERE sole AND term = :term AND holder = :holder RETURNING clock_timestamp()"
)
_LOOK = text(
    "SELECT term, holder, store, instance, extract(epoch FROM clock_timestamp() - expires) AS vacant, "
    "clock_timestamp() AS now FROM leadership WHERE sole"
)
_END_CONNECTIONS = text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name = :holder AND pid != pg_backend_pid()"
)
_TAKE = text(
    "UPDATE leadership SET term = term + 1, holder = :holder, store = :store, instance = :instance, "
    "expires = clock_timestamp() + make_interval(secs => :seconds) "
    "WHERE sole AND term = :seen AND holder = :former "
    "AND (:certain OR expires < clock_timestamp()) RETURNING term"
)
_RESIGN = text(
    "UPDATE leadership SET expires = clock_timestamp() WHERE sole AND term = :term AND holder = :holder"
)
# A lock of the key alone: the renewal changes no key and does not wait for it, a change of leader does.
_FENCE = text("SELECT term, holder FROM leadership WHERE sole FOR KEY SHARE")


class DeposedError(UnavailableError):
    """What a leader wanted to write is refused, for another process leads."""


class Election:
    """Takes part in the election, by a thread between `begin` and `end`.

    Parameters
    ----------
    database : Database
        PostgreSQL; not fenced.
    seat : Seat
        This process's place among the coordinators. Whoever has the same one later knows that it is dead.
    """

    def __init__(self, database: Database, seat: Seat) -> None:
        self.database = database
        self.seat = seat
        self._held: Leadership | None = None
        self._until = 0.0
        self._skew = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="election", daemon=True)

    def begin(self) -> None:
        """Try to lead, now and from now on."""
        self._try()
        self._thread.start()

    def end(self) -> None:
        """Lead no longer, so that another process can at once."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        held, self._held = self._held, None
        if held is None:
            return
        try:
            with self.database.write() as tx:
                tx.connection.execute(_RESIGN, {"term": held.term, "holder": self.database.session})
        except NighttrainError as error:
            logger.warning("the leadership ends by itself in %.0f s: %s", LEASE_SECONDS, error)

    def leadership(self) -> Leadership | None:
        """Return the present leadership of this process, None while another one leads."""
        return self._held if time.monotonic() < self._until else None

    def fence(self, tx: Transaction) -> None:
        """Refuse a transaction of a leader that is none any longer, and hold off the next one until its end.

        Raises
        ------
        DeposedError
            Another process leads.
        """
        held = self._held
        row = tx.connection.execute(_FENCE).one()
        if held is None or (row.term, row.holder) != (held.term, self.database.session):
            raise DeposedError("another coordinator leads, and does this", "nothing needs to be done")

    def troubles(self) -> tuple[str, ...]:
        """Return in words what people should know."""
        if abs(self._skew) <= SKEW_SECONDS:
            return ()
        late = "ahead of" if self._skew > 0 else "behind"
        return (
            f"the clock of this machine is {abs(self._skew):.0f} s {late} the database's: leases of jobs may "
            "end too early or too late; set it right (NTP)",
        )

    def _run(self) -> None:
        while not self._stopping.wait(TRY_SECONDS):
            self._try()

    def _try(self) -> None:
        """Renew the leadership, or take it if nobody has it."""
        asked = time.monotonic()
        try:
            if self._held is None:
                self._held = self._take()
            elif not self._renewed(self._held):
                logger.warning("another coordinator leads now; term %d has ended", self._held.term)
                self._held = None
        except (NighttrainError, SQLAlchemyError) as error:
            # While the database is away nobody leads, and whoever asks for something is told why.
            logger.debug("the election: %s", error)
        else:
            self._until = asked + LEASE_SECONDS

    def _renewed(self, held: Leadership) -> bool:
        mine = {"term": held.term, "holder": self.database.session, "seconds": LEASE_SECONDS}
        with self.database.write() as tx:
            now = tx.connection.execute(_RENEW, mine).scalar()
            self._compare(now, tx)
        return now is not None

    def _take(self) -> Leadership | None:
        with self.database.read() as tx:
            seen = tx.connection.execute(_LOOK).one()
            self._compare(seen.now, tx)
        # Its lock on the folder was had after the former process of this name had lost it.
        is_own = (seen.store, seen.instance) == (self.seat.store, self.seat.instance)
        if seen.vacant <= 0 and not is_own:
            return None
        wanted: dict[str, Any] = {
            "holder": self.database.session,
            "store": self.seat.store,
            "instance": self.seat.instance,
            "seconds": LEASE_SECONDS,
            "seen": seen.term,
            "former": seen.holder,
            "certain": is_own,
        }
        if seen.holder not in ("", self.database.session):
            with self.database.write() as tx:
                tx.connection.execute(_END_CONNECTIONS, {"holder": seen.holder})
        with self.database.write() as tx:
            term = tx.connection.execute(_TAKE, wanted).scalar()
        if term is None:
            return None
        logger.info("this coordinator leads: term %d", term)
        return Leadership(int(term), max(0.0, float(seen.vacant)) if seen.holder else 0.0)

    def _compare(self, now: datetime | None, tx: Transaction) -> None:
        if now is not None:
            self._skew = (tx.now - now.astimezone(UTC)).total_seconds()
