"""The book of the newest run, brought up to date at each look by the jobs that have changed since the last.

Each change of a job's row gives it a new revision, by a trigger, whoever changes it. In SQLite, which has one
writer at a time, revisions count up within a run: what is larger than the largest known is new. In PostgreSQL
a revision is the id of the transaction: what is not older than the oldest transaction that was at work at the
last look is new, or is read once more. An attempt begins and ends together with a change of its job's state
(`coordinator.queue.transitions`), so attempts are read with their jobs; what changes while one is at work
(its progress, its lease) is not kept here.
"""

from __future__ import annotations

import sys
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Connection, Row, bindparam, func, select, text

from common.protocol.job_views import Outcome, RefusalReason
from common.protocol.jobs import Cause, JobKind, JobState
from coordinator.store.database import Database, Transaction
from coordinator.store.prepared import Prepared
from coordinator.store.tables import attempts, jobs, runs
from coordinator.views.book import Book, JobFact, Try

CHUNK = 500
"""So many jobs are read at a time."""

_CHANGED = (
    select(
        jobs.c.id,
        jobs.c.ordinal,
        jobs.c.kind,
        jobs.c.symbol,
        jobs.c.timeframe,
        jobs.c.horizon,
        jobs.c.state,
        jobs.c.cause,
        jobs.c.rows,
        jobs.c.volume,
        jobs.c.waiting_since,
        jobs.c.not_before,
        jobs.c.wanted_next,
        jobs.c.started,
        jobs.c.finished,
        jobs.c.changed,
        jobs.c.auc,
        jobs.c.scores,
        jobs.c.promoted,
        jobs.c.refused_by,
        jobs.c.reused_from,
        jobs.c.revision,
    )
    .where(jobs.c.run_id == bindparam("run"), jobs.c.revision >= bindparam("first"))
    .order_by(jobs.c.id)
    .execution_options(yield_per=CHUNK)
)
_TRIES = (
    select(
        attempts.c.job_id,
        attempts.c.id,
        attempts.c.outcome,
        attempts.c.cause,
        attempts.c.started,
        attempts.c.ended,
        attempts.c.seconds,
    )
    .where(attempts.c.job_id.in_(bindparam("jobs", expanding=True)))
    .order_by(attempts.c.id)
)
_NEWEST = Prepared(select(func.max(runs.c.id)))
_OLDEST_AT_WORK = text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
_KINDS = {str(one): one for one in JobKind}
_STATES = {str(one): one for one in JobState}
_CAUSES = {str(one): one for one in Cause}
_OUTCOMES = {str(one): one for one in Outcome}


class Ledger:
    """Keeps the book of the newest run.

    Parameters
    ----------
    database : Database
        Where the run is; what is kept of it here can be read again at any time.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._book: Book | None = None
        self._known = 0
        # One look after the other: a book that is ahead of a transaction would be of another moment.
        self._turn = threading.Lock()

    @contextmanager
    def read(self) -> Iterator[tuple[Transaction, Book | None]]:
        """Open a transaction that only reads, with the book as it is there; None before the first run."""
        with self._turn, self.database.read() as tx:
            newest = _NEWEST.on(tx.connection).scalar()
            if newest is None:
                yield tx, None
                return
            if self._book is None or self._book.run_id != newest:
                self._book, self._known = Book(newest), -1
            try:
                self._update(tx.connection, self._book)
            except BaseException:
                # Half of an update was perhaps entered.
                self._book = None
                raise
            yield tx, self._book

    def _update(self, connection: Connection, book: Book) -> None:
        first = self._known
        if not self.database.is_sqlite:
            self._known = next_revision(connection, book.run_id)
        result = connection.execute(_CHANGED, {"run": book.run_id, "first": first})
        for rows in result.partitions():
            tries = _tries(connection, [row.id for row in rows])
            # Jobs of a symbol have most times in common, which are held once.
            held: dict[Any, Any] = {}
            for row in rows:
                book.enter(_job(row, held), tuple(tries.get(row.id, ())))
            if self.database.is_sqlite:
                self._known = max(self._known, *(row.revision + 1 for row in rows))


def next_revision(connection: Connection, run_id: int) -> int:
    """Return the smallest revision that a job of a run may get by a change that is not seen here yet."""
    if connection.dialect.name != "sqlite":
        return int(connection.execute(_OLDEST_AT_WORK).scalar_one())
    largest = select(func.coalesce(func.max(jobs.c.revision), -1)).where(jobs.c.run_id == run_id)
    return 1 + int(connection.execute(largest).scalar_one())


def _tries(connection: Connection, job_ids: Sequence[int]) -> dict[int, list[Try]]:
    found: dict[int, list[Try]] = defaultdict(list)
    result = connection.execute(_TRIES, {"jobs": job_ids})
    for job_id, attempt, outcome, cause, started, ended, seconds in result:
        of_cause = _CAUSES[cause] if cause else None
        found[job_id].append(Try(attempt, _OUTCOMES[outcome], of_cause, started, ended, seconds))
    return found


def _job(row: Row[*tuple[Any, ...]], held: dict[Any, Any]) -> JobFact:
    def once(value: Any) -> Any:
        return held.setdefault(value, value)

    told: dict[str, Any] | None = from_json(row.scores) if row.scores else None
    return JobFact(
        id=row.id,
        ordinal=row.ordinal,
        kind=_KINDS[row.kind],
        symbol=sys.intern(row.symbol),
        timeframe=sys.intern(row.timeframe) if row.timeframe else None,
        horizon=row.horizon,
        state=_STATES[row.state],
        cause=_CAUSES[row.cause] if row.cause else None,
        rows=row.rows,
        volume=once(row.volume),
        waiting_since=once(row.waiting_since),
        not_before=once(row.not_before),
        wanted_next=once(row.wanted_next),
        started=once(row.started),
        finished=once(row.finished),
        changed=once(row.changed),
        auc=row.auc,
        scores=(told["auc"], told["brier"], told["accuracy"]) if told else None,
        promoted=row.promoted,
        refused_by=tuple(RefusalReason(one) for one in from_json(row.refused_by)),
        reused=row.reused_from is not None,
    )
