"""Group commit: writers that wait for one another share a transaction, and so its sync to the disk.

SQLite has one writer at a time, and a sync takes longer than all that a request changes. So whoever is done
while others wait hands the open transaction on to the next instead of committing it; the last commits for
all, and until then nobody returns. What one member changes it takes back alone if it fails, by a savepoint.

PostgreSQL needs none of this: it lets its sessions share the sync of its own log.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import TypeVar

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from common.errors import UnavailableError
from coordinator.store.prepared import Prepared

_BEGIN = Prepared(text("BEGIN IMMEDIATE"))
_SAVEPOINT = Prepared(text("SAVEPOINT member"))
_ROLLBACK = Prepared(text("ROLLBACK TO member"))
_RELEASE = Prepared(text("RELEASE member"))

T = TypeVar("T")

MOST_MEMBERS = 64
"""How many writers share a commit at most."""

MOST_SECONDS = 0.05
"""How long after its beginning a transaction is handed on no more, so that the first does not wait long."""


class GroupCommit:
    """The turn of the writers of one SQLite database, and the transaction that they share.

    Parameters
    ----------
    engine : Engine
        Leaves it to us to begin SQLite's transactions; its connections may change threads.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = threading.Lock()
        self._counting = threading.Lock()
        self._waiting = 0
        self._open: _Group | None = None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Have the turn without a transaction, for one that is shared with nobody."""
        while True:
            self._take_turn()
            if self._open is None:
                break
            self._pass_on(self._open)
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def member(self) -> Iterator[Connection]:
        """Write in a transaction that others may share; return when all of it is durable.

        An exception takes back what was written here, and nothing else. It too is raised after the commit,
        since what it tells may rest on what others have just written.

        Raises
        ------
        sqlalchemy.exc.DBAPIError
            The transaction could not be begun or committed: nobody's changes are kept.
        """
        group = self._join()
        try:
            with group.savepoint():
                yield group.connection
        finally:
            self._pass_on(group)
            group.committed.result()

    def each(self, bodies: Iterable[Callable[[Connection], T]]) -> list[T | BaseException]:
        """Have each body write as a member of its own, one after the other; return when all of it is durable.

        Returns
        -------
        list
            Of each body what it returned, or what it or the commit raised.
        """
        told: list[tuple[_Group | None, T | BaseException]] = []
        # Whoever is counted keeps the transaction open for the next body.
        self._count(1)
        try:
            told.extend(map(self._have_written, bodies))
        finally:
            self._count(-1)
            self._close()
        return [value if group is None else group.outcome(value) for group, value in told]

    def _have_written(self, body: Callable[[Connection], T]) -> tuple[_Group | None, T | BaseException]:
        try:
            group = self._join()
        except Exception as error:
            return None, error
        try:
            with group.savepoint():
                return group, body(group.connection)
        except Exception as error:
            return group, error
        finally:
            self._pass_on(group)

    def _close(self) -> None:
        """Have the transaction that is open end, if there is one."""
        self._take_turn()
        if self._open is None:
            self._turn.release()
        else:
            self._pass_on(self._open)

    def _join(self) -> _Group:
        self._take_turn()
        if self._open is None:
            try:
                self._open = _Group(self._engine)
            except BaseException:
                self._turn.release()
                raise
        return self._open

    def _count(self, more: int) -> None:
        with self._counting:
            self._waiting += more

    def _take_turn(self) -> None:
        self._count(1)
        try:
            self._turn.acquire()
        finally:
            self._count(-1)

    def _pass_on(self, group: _Group) -> None:
        """Give the turn to the next who waits for it; without one, commit first."""
        # Whoever is counted here takes the turn after this one and finds the group open, so it has an end.
        try:
            if not (self._waiting and group.has_room):
                self._open = None
                group.commit()
        finally:
            self._turn.release()


class _Group:
    """One transaction with its members; only whoever has the turn touches it."""

    def __init__(self, engine: Engine) -> None:
        self.connection = engine.connect()
        try:
            self._transaction = self.connection.begin()
            _BEGIN.on(self.connection)
        except BaseException:
            self.connection.close()
            raise
        self.committed: Future[None] = Future()
        self._members = 0
        self._began = time.monotonic()

    @property
    def has_room(self) -> bool:
        """Whether the transaction goes on and takes another member."""
        young = time.monotonic() - self._began < MOST_SECONDS
        return self._transaction.is_active and self._members < MOST_MEMBERS and young

    def outcome(self, value: T) -> T | BaseException:
        """Return what a member returned or raised, or why nothing of the transaction is kept."""
        return self.committed.exception() or value

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Take back what a member has written if it fails; the first has nobody before it to be spared."""
        self._members += 1
        first = self._members == 1
        try:
            if not first:
                _SAVEPOINT.on(self.connection)
            yield
            if not first:
                _RELEASE.on(self.connection)
        except BaseException as error:
            if first:
                self._transaction.rollback()
            else:
                self._take_back(error)
            raise

    def commit(self) -> None:
        """Make all of it durable, and say so to the members, or why it could not be done."""
        try:
            if self._transaction.is_active:
                self._transaction.commit()
        except BaseException as error:
            self.committed.set_exception(error)
            # SQLite may still be in the transaction, which ends with its connection.
            self.connection.invalidate(error)
        else:
            if not self.committed.done():
                self.committed.set_result(None)
        finally:
            self.connection.close()

    def _take_back(self, error: BaseException) -> None:
        with suppress(DBAPIError):
            _ROLLBACK.on(self.connection)
            _RELEASE.on(self.connection)
            return
        # There is no savepoint any more: a disk that is full makes SQLite take back the whole transaction by
        # itself, and what followed would be committed statement by statement.
        lost = UnavailableError("the database took a change back", "the same request may succeed later")
        self.committed.set_exception(error if isinstance(error, DBAPIError) else lost)
        self._transaction.rollback()
