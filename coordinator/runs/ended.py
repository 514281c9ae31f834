"""What is due once a night has ended, kept from the transaction that ended it until it is done.

A night of an earlier version has no entry: nothing is made or sent of it later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update

from coordinator.store.database import Transaction
from coordinator.store.rows import RunRow, all_of
from coordinator.store.tables import digests, runs

DELIVERY = timedelta(minutes=30)
"""For how long a digest is tried: later it is no news, and it says so in the log."""


@dataclass(frozen=True)
class DueDigest:
    """A digest that was not handed over yet; nobody tries any more at `until`."""

    run_id: int
    ended: datetime
    until: datetime


def record_end(tx: Transaction, run_id: int) -> None:
    """Record in the transaction that ends a night that its report and its digest are due; once only."""
    known = select(digests.c.run_id).where(digests.c.run_id == run_id)
    if tx.connection.execute(known).first() is None:
        tx.connection.execute(
            digests.insert().values(run_id=run_id, ended=tx.now, until=tx.now + DELIVERY, problem="")
        )


def unwritten_report(tx: Transaction) -> RunRow | None:
    """Return the oldest night that has ended and has no report yet."""
    query = (
        all_of(runs)
        .join(digests, digests.c.run_id == runs.c.id)
        .where(runs.c.report_path == "")
        .order_by(runs.c.id)
        .limit(1)
    )
    row = tx.connection.execute(query).first()
    return None if row is None else RunRow.of(row)


def record_report(tx: Transaction, run_id: int, path: str) -> None:
    """Record where the report of a night is."""
    tx.connection.execute(update(runs).where(runs.c.id == run_id).values(report_path=path))


def due_digest(tx: Transaction) -> DueDigest | None:
    """Return the oldest digest that was neither handed over nor given up."""
    query = (
        select(digests.c.run_id, digests.c.ended, digests.c.until)
        .where(digests.c.closed.is_(None))
        .order_by(digests.c.run_id)
        .limit(1)
    )
    row = tx.connection.execute(query).first()
    return None if row is None else DueDigest(row.run_id, row.ended, row.until)


def close_digest(tx: Transaction, run_id: int, problem: str = "") -> None:
    """Record that a digest was handed over, or given up with the last problem."""
    values = {"closed": tx.now, "problem": problem}
    tx.connection.execute(
        update(digests).where(digests.c.run_id == run_id, digests.c.closed.is_(None)).values(**values)
    )
