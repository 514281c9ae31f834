"""The queued jobs of a run in the order of admission, read a few at a time: a claim wants the first to fit.

The order is that of `coordinator.policy.admission.order`. Each of its rules is a stretch of the line that an
index holds: what operators want next, what is overdue, symbols on probation, surveys, the symbol that the
trainer last had, all others by volume. Within a stretch the rows are read until the last of those that the
index cannot tell apart is there; these few are sorted as the order says. Only where no job fits is all of it
read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from heapq import merge
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, and_, func, not_, or_, select, true

from common.protocol.jobs import JobKind
from coordinator.policy.admission import Candidate, Terms, length, order, ranked
from coordinator.policy.breaker import Gate
from coordinator.queue.candidates import Candidates
from coordinator.store.tables import jobs

PAGE = 40
"""How many rows of a stretch are read at first."""

GROWTH = 4
"""How many times as many are read next."""

MOST_ALIKE = 24
"""Up to so many sizes of equal duration are merged; where more are equal, all are read and sorted."""

SURVEYED: ColumnElement[bool] = jobs.c.waiting_since.is_not(None)
UNSURVEYED: ColumnElement[bool] = jobs.c.waiting_since.is_(None)


@dataclass(frozen=True)
class Line:
    """The line of a run's queued jobs before a trainer.

    Parameters
    ----------
    candidates : Candidates
        Reads the queue in one transaction.
    last_symbol : str
        The symbol that the trainer last had.
    terms : Terms
        The present time and the bound of the wait.
    """

    candidates: Candidates
    last_symbol: str
    terms: Terms

    def __iter__(self) -> Iterator[Candidate]:
        """Iterate over all that may fit, then over what stands for all jobs that fit no seat now.

        Of the latter come the first that waits, and all of parked symbols: one is named where nothing fits.
        """
        yield from self._stretches(and_(SURVEYED, self._ready, self._open))
        first = self._first_waiting()
        if first is not None:
            yield first
        if self._closed:
            yield from self._ranked(self.candidates.query.where(SURVEYED, self._ready, not_(self._open)))

    @property
    def is_left(self) -> bool:
        """Whether any job is queued, whatever it waits for."""
        return self.candidates.connection.execute(self.candidates.query.limit(1)).first() is not None

    @property
    def after_oom(self) -> list[Candidate]:
        """The jobs that ran out of memory, in the order of the grid."""
        query = self.candidates.query.where(jobs.c.oom_room_bytes.is_not(None)).order_by(jobs.c.ordinal)
        return self._read(query)

    @property
    def _ready(self) -> ColumnElement[bool]:
        return or_(jobs.c.not_before.is_(None), jobs.c.not_before <= self.terms.now)

    @property
    def _open(self) -> ColumnElement[bool]:
        closed = self._closed
        return (
            or_(jobs.c.kind != JobKind.TRAINING, jobs.c.symbol.not_in(sorted(closed))) if closed else true()
        )

    @property
    def _closed(self) -> set[str]:
        """The symbols that are parked, and those on probation whose probe is running."""
        return {
            symbol
            for symbol, breaker in self.candidates.breakers.items()
            if breaker.gate(self.terms.now) is Gate.PARKED or symbol in self.candidates.busy
        }

    @property
    def _probation(self) -> list[str]:
        breakers = self.candidates.breakers.items()
        return sorted(name for name, one in breakers if one.gate(self.terms.now) is Gate.PROBATION)

    def _first_waiting(self) -> Candidate | None:
        later = self.candidates.query.where(SURVEYED, jobs.c.not_before > self.terms.now)
        unsurveyed = next(self._stretches(UNSURVEYED), None)
        firsts = [*self._ranked(later)[:1], *([unsurveyed] if unsurveyed else [])]
        return min(firsts, key=self._order, default=None)

    def _stretches(self, which: ColumnElement[bool]) -> Iterator[Candidate]:
        query = self.candidates.query.where(which)
        yield from self._ranked(query.where(jobs.c.wanted_next.is_not(None)))
        query = query.where(jobs.c.wanted_next.is_(None))
        if which is UNSURVEYED:
            yield from self._of_one_wait(query)
            return
        bound = self.terms.now - timedelta(seconds=self.terms.max_wait_seconds)
        overdue = query.where(jobs.c.waiting_since < bound)
        for since, few in self._groups(overdue, jobs.c.waiting_since):
            yield from few or self._of_one_wait(query.where(jobs.c.waiting_since == since))
        # A function hides the column from the planner, which would sort the queue rather than follow one.
        wait = func.coalesce(jobs.c.waiting_since, jobs.c.created)
        yield from self._of_one_wait(query.where(wait >= bound))

    def _of_one_wait(self, query: Select[Any]) -> Iterator[Candidate]:
        """Iterate over jobs whose wait makes no difference."""
        probation = self._probation
        if probation:
            yield from self._ranked(query.where(jobs.c.symbol.in_(probation)))
            query = query.where(jobs.c.symbol.not_in(probation))
        last = jobs.c.symbol == self.last_symbol
        for kind in JobKind.SURVEY, JobKind.TRAINING:
            of_kind = query.where(jobs.c.kind == kind)
            if self.last_symbol:
                yield from self._ranked(of_kind.where(last))
                of_kind = of_kind.where(not_(last))
            for volume, few in self._groups(of_kind, jobs.c.volume, falling=True):
                yield from few or self._of_one_volume(of_kind.where(jobs.c.volume == volume), kind)

    def _groups(
        self, query: Select[Any], column: Column[Any], falling: bool = False
    ) -> Iterator[tuple[Any, list[Candidate]]]:
        """Iterate over the values of a column in order, each with its jobs in order.

        The jobs are left out of a value that has more of them than a page.
        """
        after, size = query, PAGE
        while True:
            page = self._read(after.order_by(column.desc() if falling else column.asc()).limit(size))
            groups = [(value, list(few)) for value, few in groupby(page, key=attrgetter(column.name))]
            ends = len(page) < size
            for value, few in groups if ends else groups[:-1]:
                yield value, sorted(few, key=self._order)
            if ends:
                return
            last = groups[max(0, len(groups) - 2)][0]
            if len(groups) == 1:
                yield last, []
            after = query.where(column < last if falling else column > last)
            size *= GROWTH

    def _of_one_volume(self, query: Select[Any], kind: JobKind) -> Iterator[Candidate]:
        """Iterate over many jobs of one kind and volume: the longest first, then in the order of the grid."""
        heads = self._heads(query, kind)
        if heads is None:
            yield from self._ranked(query)
            return
        while heads:
            left = dict(heads)
            longest = max(self._length(*head) for head in left.items())
            alike = []
            for timeframe in left:
                of_timeframe = query.where(jobs.c.timeframe.is_not_distinct_from(timeframe))
                while timeframe in heads and self._length(timeframe, heads[timeframe]) == longest:
                    rows = heads.pop(timeframe)
                    alike.append(of_timeframe.where(jobs.c.rows.is_not_distinct_from(rows)))
                    if len(alike) > MOST_ALIKE:
                        yield from self._ranked(query.where(_up_to(left)))
                        return
                    if rows is not None:
                        shorter = _most_rows(query.where(jobs.c.rows < rows), timeframe)
                        found = self.candidates.connection.execute(shorter).scalar()
                        heads |= {timeframe: found} if found is not None else {}
            yield from merge(*map(self._in_grid, alike), key=attrgetter("ordinal"))

    def _heads(self, query: Select[Any], kind: JobKind) -> dict[str | None, int | None] | None:
        """Return the most rows of each timeframe's jobs; None where some have rows and others none."""
        timeframes: list[str | None] = [None] if kind is JobKind.SURVEY else [*self.candidates.timeframes]
        most = [_most_rows(query, timeframe).scalar_subquery() for timeframe in timeframes]
        unknown = query.where(jobs.c.timeframe.in_(timeframes), jobs.c.rows.is_(None)).exists()
        *rows, mixed = self.candidates.connection.execute(select(*most, unknown)).one()
        if mixed and any(one is not None for one in rows):
            return None
        return dict(zip(timeframes, rows, strict=True))

    def _in_grid(self, query: Select[Any]) -> Iterator[Candidate]:
        after, size = query, PAGE
        while page := self._read(after.order_by(jobs.c.ordinal).limit(size)):
            yield from page
            if len(page) < size:
                return
            after, size = query.where(jobs.c.ordinal > page[-1].ordinal), GROWTH * size

    def _length(self, timeframe: str | None, rows: int | None) -> float:
        return length(self.candidates.expected(timeframe, rows)[0], rows or 0)

    def _order(self, candidate: Candidate) -> tuple[float | bool | int, ...]:
        return order(candidate, self.last_symbol, self.terms)

    def _ranked(self, query: Select[Any]) -> list[Candidate]:
        return ranked(self._read(query), self.last_symbol, self.terms)

    def _read(self, query: Select[Any]) -> list[Candidate]:
        return self.candidates.of(self.candidates.connection.execute(query).all())


def _most_rows(query: Select[Any], timeframe: str | None) -> Select[Any]:
    of_timeframe = query.where(jobs.c.timeframe.is_not_distinct_from(timeframe))
    return of_timeframe.with_only_columns(func.max(jobs.c.rows))


def _up_to(heads: dict[str | None, int | None]) -> ColumnElement[bool]:
    alike = [
        and_(
            jobs.c.timeframe.is_not_distinct_from(timeframe),
            jobs.c.rows.is_(None) if rows is None else jobs.c.rows <= rows,
        )
        for timeframe, rows in heads.items()
    ]
    return or_(*alike)
