"""The breakers of a run's symbols, as the database keeps them."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from common.protocol.jobs import BREAKER_CAUSES, Cause, JobKind
from common.settings.night import NightSettings
from coordinator.policy.breaker import Breaker
from coordinator.store.database import Transaction
from coordinator.store.prepared import Prepared
from coordinator.store.rows import JobRow
from coordinator.store.tables import symbols

_BREAKERS = select(symbols.c.symbol, symbols.c.failing, symbols.c.parked_until)

_PARKED = Prepared(_BREAKERS.where(symbols.c.run_id == bindparam("run"), symbols.c.parked_until.is_not(None)))
_SYMBOL = _BREAKERS.where(symbols.c.run_id == bindparam("run"), symbols.c.symbol == bindparam("symbol"))
_OF_SYMBOL, _LOCKED = Prepared(_SYMBOL), _SYMBOL.with_for_update()


def read_breakers(connection: Connection, run_id: int) -> dict[str, Breaker]:
    """Return the breaker of each symbol of a run."""
    query = _BREAKERS.where(symbols.c.run_id == run_id)
    return {row.symbol: _breaker(row) for row in connection.execute(query)}


def read_parked(connection: Connection, run_id: int) -> dict[str, Breaker]:
    """Return the breakers of a run that are not closed: the symbol is parked or on probation."""
    return {row.symbol: _breaker(row) for row in _PARKED.on(connection, {"run": run_id})}


def record_failure(tx: Transaction, job: JobRow, cause: Cause, settings: NightSettings) -> None:
    """Let a failed attempt count for the breaker of its symbol, if its cause does."""
    if job.kind is JobKind.TRAINING and cause in BREAKER_CAUSES:
        rule = settings.breaker
        breaker = _locked(tx, job.run_id, job.symbol)
        after = breaker.failed(job.id, cause, tx.now, rule.failures, rule.park_seconds)
        _keep(tx, job.run_id, job.symbol, after)


def record_success(tx: Transaction, job: JobRow) -> None:
    """Let a finished job close the breaker of its symbol; a survey says nothing about it."""
    if job.kind is not JobKind.TRAINING:
        return
    # Most have nothing to close, and all jobs of a symbol that end at once would wait for its lock. A failure
    # that is not committed yet comes after this success.
    row = _OF_SYMBOL.on(tx.connection, {"run": job.run_id, "symbol": job.symbol}).one()
    if _breaker(row) == _breaker(row).succeeded():
        return
    breaker = _locked(tx, job.run_id, job.symbol)
    _keep(tx, job.run_id, job.symbol, breaker.succeeded())


def lift(tx: Transaction, run_id: int, symbol: str) -> Breaker:
    """Close the breaker of a symbol of the run, whatever it was, and return what it was before."""
    before = _locked(tx, run_id, symbol)
    _keep(tx, run_id, symbol, Breaker())
    return before


def _locked(tx: Transaction, run_id: int, symbol: str) -> Breaker:
    return _breaker(tx.connection.execute(_LOCKED, {"run": run_id, "symbol": symbol}).one())


def _breaker(row: Row[*tuple[Any, ...]]) -> Breaker:
    return Breaker(frozenset(json.loads(row.failing)), row.parked_until)


def _keep(tx: Transaction, run_id: int, symbol: str, breaker: Breaker) -> None:
    tx.connection.execute(
        update(symbols)
        .where(symbols.c.run_id == run_id, symbols.c.symbol == symbol)
        .values(failing=json.dumps(sorted(breaker.failing)), parked_until=breaker.parked_until)
    )
