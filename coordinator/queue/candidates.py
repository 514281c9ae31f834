"""Queued jobs as admission sees them: what a row of the queue says, with what is expected of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cached_property
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, or_, select

from common.protocol.job_views import Outcome
from common.protocol.jobs import JobKind
from coordinator.policy.admission import Candidate
from coordinator.policy.breaker import Breaker, Gate
from coordinator.policy.disk import matrix_bytes
from coordinator.queue.breakers import read_parked
from coordinator.queue.history import SURVEY, History
from coordinator.queue.stretches import TRAINING, Stretch
from coordinator.store.prepared import Prepared
from coordinator.store.tables import attempts, jobs, runs

_BUSY = Prepared(
    select(jobs.c.symbol)
    .join_from(attempts, jobs, attempts.c.job_id == jobs.c.id)
    .where(attempts.c.ended.is_(None), TRAINING)
)
_SAME = jobs.alias("same")
_EARLIER = attempts.alias("earlier")
_BUILDING = Prepared(
    select(jobs.c.symbol, jobs.c.timeframe)
    .join_from(attempts, jobs, attempts.c.job_id == jobs.c.id)
    .where(
        attempts.c.ended.is_(None),
        attempts.c.host == bindparam("on_host"),
        # Surveys have none. By their kind SQLite would begin with all cells, and not with the few leases.
        jobs.c.timeframe.is_not(None),
        ~select(_EARLIER.c.id)
        .join_from(_SAME, _EARLIER, _EARLIER.c.job_id == _SAME.c.id)
        .where(
            _SAME.c.run_id == jobs.c.run_id,
            _SAME.c.symbol == jobs.c.symbol,
            _SAME.c.timeframe == jobs.c.timeframe,
            _EARLIER.c.host == bindparam("on_host"),
            _EARLIER.c.outcome == Outcome.SUCCEEDED,
        )
        .exists(),
    )
)
_RUN_BEFORE = select(func.max(runs.c.id)).where(runs.c.id < bindparam("run")).scalar_subquery()
_BUILT = (
    select(jobs.c.symbol, jobs.c.timeframe)
    .distinct()
    .where(jobs.c.run_id.in_([bindparam("run"), _RUN_BEFORE]), TRAINING)
    .where(or_(jobs.c.started.is_not(None), jobs.c.reused_from.is_not(None)))
)
_BUILT_OF_SOME = _BUILT.where(jobs.c.symbol.in_(bindparam("symbols", expanding=True)))
_BUILT_OF_ONE = Prepared(_BUILT.where(jobs.c.symbol == bindparam("symbol")))


class Candidates:
    """Makes candidates of rows of the queue, as they are in one transaction.

    Parameters
    ----------
    connection : Connection
        Of the transaction.
    run_id : int
        The run of the jobs.
    now : datetime
        An aware time.
    history : History
        What durations and peaks are expected by.
    host : str
        The host that asks, if others work there too; empty: what they build makes no difference.
    """

    def __init__(
        self, connection: Connection, run_id: int, now: datetime, history: History, host: str = ""
    ) -> None:
        self.connection = connection
        self.run_id = run_id
        self.now = now
        self.history = history
        self.host = host
        self._expected: dict[tuple[str, int | None], tuple[float | None, int | None]] = {}

    @cached_property
    def breakers(self) -> dict[str, Breaker]:
        """The breakers that are not closed, by symbol."""
        return read_parked(self.connection, self.run_id)

    @cached_property
    def busy(self) -> frozenset[str]:
        """The symbols of which a training job is leased."""
        return frozenset(_BUSY.on(self.connection).scalars())

    @cached_property
    def building(self) -> frozenset[tuple[str, str]]:
        """The symbols and timeframes with which the host has begun, and of which no cell has ended there."""
        if not self.host:
            return frozenset()
        found = _BUILDING.on(self.connection, {"on_host": self.host})
        return frozenset((symbol, timeframe) for symbol, timeframe in found)

    @cached_property
    def timeframes(self) -> tuple[str, ...]:
        """The timeframes of the run's grid, which are those of each of its symbols."""
        cells = select(jobs.c.symbol).where(jobs.c.run_id == self.run_id, TRAINING).limit(1)
        of_one = select(jobs.c.timeframe).where(
            jobs.c.run_id == self.run_id, TRAINING, jobs.c.symbol == cells.scalar_subquery()
        )
        return tuple(sorted(set(self.connection.execute(of_one).scalars())))

    def all(self) -> tuple[Candidate, ...]:
        """Return the whole queue, in the order of the grid."""
        return tuple(self.of(Stretch((), {"run": self.run_id}).read(self.connection, "ordinal")))

    def pieces(self) -> Iterator[list[Candidate]]:
        """Yield the whole queue in the order of the grid, some jobs at a time."""
        for rows in Stretch((), {"run": self.run_id}).pieces(self.connection, "ordinal"):
            yield self.of(rows)

    def of(self, rows: Iterable[Row[*tuple[Any, ...]]]) -> list[Candidate]:
        """Return the candidates of some rows, in their order."""
        rows = list(rows)
        if not rows:
            return []
        built = self._built({row.symbol for row in rows})
        return [self._candidate(row, built) for row in rows]

    def expected(self, timeframe: str | None, rows: int | None) -> tuple[float | None, int | None]:
        """Return the duration in seconds and the peak in bytes that are expected, None where unknown."""
        key = (timeframe or SURVEY, rows)
        if key not in self._expected:
            self._expected[key] = self.history.seconds(*key), self.history.peak_memory_bytes(*key)
        return self._expected[key]

    def _candidate(self, row: Row[*tuple[Any, ...]], built: set[tuple[str, str]]) -> Candidate:
        job_id, kind, symbol, ordinal, timeframe, rows, volume, since, not_before, room, wanted_next = row
        seconds, peak = self.expected(timeframe, rows)
        breaker = self.breakers.get(symbol)
        return Candidate(
            job_id=job_id,
            kind=JobKind(kind),
            symbol=symbol,
            ordinal=ordinal,
            volume=volume,
            waiting_since=since,
            not_before=not_before,
            oom_room_bytes=room,
            seconds=seconds,
            peak_bytes=peak,
            rows=rows or 0,
            gate=breaker.gate(self.now) if breaker else Gate.CLOSED,
            # Nothing else asks for it.
            symbol_busy=breaker is not None and symbol in self.busy,
            disk_bytes=0 if (symbol, timeframe) in built else matrix_bytes(rows or 0),
            parked_until=breaker.parked_until if breaker else None,
            wanted_next=wanted_next,
            building=(symbol, timeframe) in self.building,
        )

    def _built(self, symbols: set[str]) -> set[tuple[str, str]]:
        """Return the symbols and timeframes of which this run or the one before has begun to train a cell.

        Their feature matrix is there or nearly so. Where it is not, since it was deleted or is of other
        candles, a disk that is too small is found out by writing, as it always can be.
        """
        run = {"run": self.run_id}
        rows: Iterable[Any]
        if len(symbols) <= FEW_NAMED:
            # A list makes a statement ten times as slow.
            asked = (_BUILT_OF_ONE.on(self.connection, {**run, "symbol": symbol}) for symbol in symbols)
            rows = chain.from_iterable(asked)
        elif len(symbols) <= MOST_NAMED:
            rows = self.connection.execute(_BUILT_OF_SOME, {**run, "symbols": sorted(symbols)})
        else:
            rows = self.connection.execute(_BUILT, run)
        return {(symbol, timeframe) for symbol, timeframe in rows}


FEW_NAMED = 4
"""Up to so many symbols are asked for one by one: a page of the queue has few."""

MOST_NAMED = 100
"""Up to so many symbols are asked for by their names; beyond it the whole run is read."""
