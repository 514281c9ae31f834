"""What operators have changed, and why: recorded with the change itself, logged, and only appended to."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from common.errors import ConflictError
from common.protocol.steering import Action, AuditEntry, AuditPage, Order, Steered
from coordinator.store.database import Database, Transaction
from coordinator.store.rows import all_of
from coordinator.store.tables import audit

logger = logging.getLogger(__name__)

NAMELESS = "operator"
"""Who did it, if they did not say."""


@dataclass(frozen=True)
class Request:
    """Where a change is asked for: the client's address and program, and the request's key if it has one."""

    origin: str
    key: str = ""


@dataclass(frozen=True)
class Target:
    """What a change is asked for: a job, a whole run, or neither (a cell of the champions)."""

    run: int | None = None
    job: int | None = None

    def is_of(self, run: int | None, job: int | None) -> bool:
        """Return whether a change that was recorded with this run and job had this target."""
        if self.job is not None:
            return job == self.job
        return self.run is None or (run, job) == (self.run, None)


@dataclass(frozen=True)
class Effect:
    """What an action has changed, in a sentence; `jobs` counts those that it touches."""

    words: str
    changed: bool = True
    run: int | None = None
    job: int | None = None
    jobs: int = 0
    folds_saved: int = 0


def name_of(order: Order) -> str:
    """Return who gives an order."""
    return order.by or NAMELESS


def record(tx: Transaction, action: Action, effect: Effect, order: Order, request: Request) -> None:
    """Keep a change for good, in the transaction that makes it."""
    tx.connection.execute(
        audit.insert().values(
            time=tx.now,
            by=name_of(order),
            origin=request.origin,
            action=action,
            run_id=effect.run,
            job_id=effect.job,
            jobs=effect.jobs,
            folds_saved=effect.folds_saved,
            words=effect.words,
            reason=order.reason,
            key=request.key or None,
        )
    )


def log(action: Action, effect: Effect, order: Order, request: Request) -> None:
    """Write a change that is committed into the night's log."""
    why = order.reason or "no reason was given"
    logger.warning("%s by %s from %s: %s (%s)", action, name_of(order), request.origin, effect.words, why)


def answered(tx: Transaction, action: Action, about: Target, request: Request) -> Steered | None:
    """Return what the same request was answered before, or None.

    Raises
    ------
    ConflictError
        Another action, or the same one on another run or job, was asked for by this key.
    """
    if not request.key:
        return None
    row = tx.connection.execute(all_of(audit).where(audit.c.key == request.key)).first()
    if row is None:
        return None
    if row.action != action or not about.is_of(row.run_id, row.job_id):
        job = "" if row.job_id is None else f" of job {row.job_id}"
        what = job or ("" if row.run_id is None else f" of night {row.run_id}")
        problem = f"the key {request.key} belongs to another request: {row.action}{what}"
        raise ConflictError(problem, "give each request a key of its own")
    return Steered.of(row, run=row.run_id, job=row.job_id, changed=True, preview=False)


class Audit:
    """The changes as operators see them.

    Parameters
    ----------
    database : Database
        Where they are kept; this object holds no state.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def page(self, filters: dict[str, Any], limit: int, offset: int) -> AuditPage:
        """Return the changes whose columns have the given values, the newest first; None filters nothing."""
        wanted = [audit.c[column] == value for column, value in filters.items() if value is not None]
        with self.database.read() as tx:
            total = tx.connection.execute(select(func.count()).select_from(audit).where(*wanted)).scalar_one()
            query = all_of(audit).where(*wanted).order_by(audit.c.id.desc()).limit(limit).offset(offset)
            entries = tuple(
                AuditEntry.of(row, run=row.run_id, job=row.job_id) for row in tx.connection.execute(query)
            )
        return AuditPage(total=total, limit=limit, offset=offset, entries=entries)
