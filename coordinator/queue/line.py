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
from functools import cached_property
from heapq import merge
from itertools import groupby
from operator import attrgetter
from typing import Any

from common.protocol.jobs import JobKind
from coordinator.policy.admission import Candidate, Terms, length, order, ranked
from coordinator.policy.breaker import Gate
from coordinator.queue.candidates import Candidates
from coordinator.queue.stretches import Stretch, which

PAGE = 24
"""How many rows of a stretch are read at first: a symbol's 18 cells of the default grid, and the next one."""

GROWTH = 4
"""How many times as many are read next."""

MOST_ALIKE = 24
"""Up to so many sizes of equal duration are merged; where more are equal, all are read and sorted."""


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
        ready = self._all.that("surveyed", "ready")
        closed = self._closed
        yield from self._stretches(ready.that("open", closed=closed) if closed else ready)
        first = self._first_waiting()
        if first is not None:
            yield first
        if closed:
            yield from self._ranked(ready.that("not open", closed=closed))

    @property
    def is_left(self) -> bool:
        """Whether any job is queued, whatever it waits for."""
        return bool(self._read(self._all, size=1))

    @property
    def after_oom(self) -> list[Candidate]:
        """The jobs that ran out of memory, in the order of the grid."""
        return self._read(self._all.that("after oom"), "ordinal") if "after oom" in self._held else []

    @cached_property
    def _held(self) -> frozenset[str]:
        """The stretches that are empty for most of a night, as far as they hold any job, fit to go or not."""
        return which(
            self.candidates.connection,
            {
                "after oom": (self._all.that("after oom"), ""),
                "wanted": (self._all.that("wanted"), ""),
                "overdue": (self._all.that("surveyed", "overdue"), "waiting_since"),
                "surveys": (self._all.that("surveyed", JobKind.SURVEY), "volume"),
            },
        )

    @property
    def _all(self) -> Stretch:
        bound = self.terms.now - timedelta(seconds=self.terms.max_wait_seconds)
        return Stretch((), {"run": self.candidates.run_id, "now": self.terms.now, "bound": bound})

    @cached_property
    def _closed(self) -> list[str]:
        """The symbols that are parked, and those on probation whose probe is running."""
        return sorted(
            symbol
            for symbol, breaker in self.candidates.breakers.items()
            if breaker.gate(self.terms.now) is Gate.PARKED or symbol in self.candidates.busy
        )

    @property
    def _probation(self) -> list[str]:
        breakers = self.candidates.breakers.items()
        return sorted(name for name, one in breakers if one.gate(self.terms.now) is Gate.PROBATION)

    def _first_waiting(self) -> Candidate | None:
        later = self._all.that("surveyed", "not ready")
        unsurveyed = next(self._of_unsurveyed(), None)
        firsts = [*self._ranked(later)[:1], *([unsurveyed] if unsurveyed else [])]
        return min(firsts, key=self._order, default=None)

    def _of_unsurveyed(self) -> Iterator[Candidate]:
        stretch = self._all.that("unsurveyed")
        yield from self._ranked(stretch.that("wanted"))
        yield from self._of_one_wait(stretch.that("unwanted"))

    def _stretches(self, stretch: Stretch) -> Iterator[Candidate]:
        if "wanted" in self._held:
            yield from self._ranked(stretch.that("wanted"))
        stretch = stretch.that("unwanted")
        overdue = stretch.that("overdue")
        for since, few in self._groups(overdue, "waiting_since", "later") if "overdue" in self._held else ():
            yield from few or self._of_one_wait(stretch.that("since", since=since))
        yield from self._of_one_wait(stretch.that("not overdue"))

    def _of_one_wait(self, stretch: Stretch) -> Iterator[Candidate]:
        """Iterate over jobs whose wait makes no difference."""
        probation = self._probation
        if probation:
            yield from self._ranked(stretch.that("probation", probation=probation))
            stretch = stretch.that("no probation", probation=probation)
        for kind in JobKind.SURVEY, JobKind.TRAINING:
            of_kind = stretch.that(kind)
            if kind is JobKind.SURVEY and "surveys" not in self._held:
                continue
            if self.last_symbol:
                yield from self._ranked(of_kind.that("last", last=self.last_symbol))
                of_kind = of_kind.that("not last", last=self.last_symbol)
            for volume, few in self._groups(of_kind, "volume", "less traded"):
                yield from few or self._of_one_volume(of_kind.that("volume", volume=volume), kind)

    def _groups(self, stretch: Stretch, column: str, beyond: str) -> Iterator[tuple[Any, list[Candidate]]]:
        """Iterate over the values of a column in order, each with its jobs in order.

        The jobs are left out of a value that has more of them than a page. `beyond` names the condition that
        a value comes after one.
        """
        after, size = stretch, PAGE
        while True:
            page = self._read(after, column, size)
            groups = [(value, list(few)) for value, few in groupby(page, key=attrgetter(column))]
            ends = len(page) < size
            for value, few in groups if ends else groups[:-1]:
                yield value, sorted(few, key=self._order)
            if ends:
                return
            last = groups[max(0, len(groups) - 2)][0]
            if len(groups) == 1:
                yield last, []
            after = stretch.that(beyond, beyond=last)
            size *= GROWTH

    def _of_one_volume(self, stretch: Stretch, kind: JobKind) -> Iterator[Candidate]:
        """Iterate over many jobs of one kind and volume: the longest first, then in the order of the grid."""
        heads = self._heads(stretch, kind)
        if heads is None:
            yield from self._ranked(stretch)
            return
        while heads:
            left = dict(heads)
            longest = max(self._length(*head) for head in left.items())
            alike = []
            for timeframe in left:
                of_timeframe = stretch.that("timeframe", timeframe=timeframe)
                while timeframe in heads and self._length(timeframe, heads[timeframe]) == longest:
                    rows = heads.pop(timeframe)
                    alike.append(of_timeframe.that("rows", rows=rows))
                    if len(alike) > MOST_ALIKE:
                        yield from self._longest_first(stretch, left)
                        return
                    if rows is not None:
                        found = self._most_rows(of_timeframe.that("fewer rows", rows=rows))
                        heads |= {timeframe: found} if found is not None else {}
            yield from merge(*map(self._in_grid, alike), key=attrgetter("ordinal"))

    def _longest_first(self, stretch: Stretch, heads: dict[str | None, int | None]) -> list[Candidate]:
        """Return the jobs of some timeframes that have so many rows at most, in order."""
        found = []
        for timeframe, rows in heads.items():
            of_timeframe = stretch.that("timeframe", timeframe=timeframe)
            up_to = of_timeframe.that("rows" if rows is None else "rows up to", rows=rows)
            found += self._read(up_to)
        return ranked(found, self.last_symbol, self.terms)

    def _heads(self, stretch: Stretch, kind: JobKind) -> dict[str | None, int | None] | None:
        """Return the most rows of each timeframe's jobs; None where some have rows and others none."""
        timeframes: list[str | None] = [None] if kind is JobKind.SURVEY else [*self.candidates.timeframes]
        of_timeframes = [stretch.that("timeframe", timeframe=timeframe) for timeframe in timeframes]
        rows = list(map(self._most_rows, of_timeframes))
        if any(one is not None for one in rows):
            for one in of_timeframes:
                if self._read(one.that("rows", rows=None), size=1):
                    return None
        return dict(zip(timeframes, rows, strict=True))

    def _in_grid(self, stretch: Stretch) -> Iterator[Candidate]:
        after, size = stretch, PAGE
        while page := self._read(after, "ordinal", size):
            yield from page
            if len(page) < size:
                return
            after, size = stretch.that("further", further=page[-1].ordinal), GROWTH * size

    def _length(self, timeframe: str | None, rows: int | None) -> float:
        return length(self.candidates.expected(timeframe, rows)[0], rows or 0)

    def _order(self, candidate: Candidate) -> tuple[float | bool | int, ...]:
        return order(candidate, self.last_symbol, self.terms)

    def _ranked(self, stretch: Stretch) -> list[Candidate]:
        return ranked(self._read(stretch), self.last_symbol, self.terms)

    def _most_rows(self, stretch: Stretch) -> int | None:
        return stretch.most_rows(self.candidates.connection)

    def _read(self, stretch: Stretch, column: str = "", size: int | None = None) -> list[Candidate]:
        return self.candidates.of(stretch.read(self.candidates.connection, column, size))
