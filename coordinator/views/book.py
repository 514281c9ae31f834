"""The jobs of one run as counts and lists, kept right by what each change of a job takes away and adds.

Nothing is read here. A look at a night costs what has changed since the last one, and not what there is.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from datetime import datetime
from typing import Any, NamedTuple

from common.protocol.job_views import Outcome, RefusalReason
from common.protocol.jobs import Cause, JobKind, JobState
from common.protocol.runs import JobCounts


class Alike(NamedTuple):
    """What queued jobs have in common that nothing but their place in the grid tells apart."""

    kind: JobKind
    symbol: str
    timeframe: str | None
    rows: int | None
    volume: float
    waiting_since: datetime | None
    not_before: datetime | None
    wanted_next: datetime | None


class JobFact(NamedTuple):
    """What counts of a job: a row of `jobs` without its documents and words.

    `scores` are AUC (None: one class only), Brier score and accuracy.
    """

    id: int
    ordinal: int
    kind: JobKind
    symbol: str
    timeframe: str | None
    horizon: int | None
    state: JobState
    cause: Cause | None
    rows: int | None
    volume: float
    waiting_since: datetime | None
    not_before: datetime | None
    wanted_next: datetime | None
    started: datetime | None
    finished: datetime | None
    changed: datetime
    auc: float | None
    scores: tuple[float | None, float, float] | None
    promoted: bool | None
    refused_by: tuple[RefusalReason, ...]
    reused: bool = False

    @property
    def touched(self) -> bool:
        """Whether anything has been done about it."""
        return self.started is not None or self.state is not JobState.QUEUED

    @property
    def alike(self) -> Alike:
        """What it has in common with others."""
        return Alike(
            self.kind,
            self.symbol,
            self.timeframe,
            self.rows,
            self.volume,
            self.waiting_since,
            self.not_before,
            self.wanted_next,
        )


class Try(NamedTuple):
    """What counts of an attempt; `seconds` is None where nobody could measure them."""

    id: int
    outcome: Outcome
    cause: Cause | None
    started: datetime
    ended: datetime | None
    seconds: float | None


class Book:
    """A run's jobs with their attempts.

    The lists are sorted, the best or newest last, and hold ids of jobs.

    Parameters
    ----------
    run_id : int
        The run.

    Attributes
    ----------
    states : Counter
        Jobs by kind and state.
    outcomes, causes : Counter
        Attempts that have ended, by outcome and by cause.
    refusals : Counter
        Models that were not promoted, by reason.
    queued : dict of str to Counter
        Queued jobs by what they have in common, by symbol.
    promoted, untrainable, reused, attempts : int
        Promoted models, cells whose candles cannot be trained on, reused results, and attempts.
    durations : dict of str to list of float
        Seconds of the attempts at cells that succeeded, sorted, by timeframe.
    successes : list of tuple
        The same attempts by their ends: when, id, since when, rows.
    by_auc, by_end, by_change : list of tuple
        Scored cells by AUC and by when they were trained; touched jobs by when they changed.
    """

    def __init__(self, run_id: int) -> None:
        self.run_id = run_id
        self.states: Counter[tuple[JobKind, JobState]] = Counter()
        self.outcomes: Counter[Outcome] = Counter()
        self.causes: Counter[Cause] = Counter()
        self.refusals: Counter[RefusalReason] = Counter()
        self.queued: dict[str, Counter[Alike]] = {}
        self.promoted = 0
        self.untrainable = 0
        self.reused = 0
        self.attempts = 0
        self.durations: dict[str, list[float]] = defaultdict(list)
        self.successes: list[tuple[datetime, int, datetime, int]] = []
        self.by_auc: list[tuple[float, int, int]] = []
        self.by_end: list[tuple[datetime, int, int]] = []
        self.by_change: list[tuple[datetime, int]] = []
        self._jobs: dict[int, JobFact] = {}
        self._tries: dict[int, tuple[Try, ...]] = {}
        self._span = (0, 0)
        self._symbols: dict[str, list[int]] = {}
        self._editions: Counter[str] = Counter()

    def __contains__(self, job_id: int) -> bool:
        return job_id in self._jobs

    def job(self, job_id: int) -> JobFact:
        """Return a job of the run."""
        return self._jobs[job_id]

    @property
    def span(self) -> tuple[int, int]:
        """The smallest and the largest id of a job."""
        return self._span

    def of_symbol(self, symbol: str) -> list[JobFact]:
        """Return the jobs of a symbol, in the order of the grid."""
        return sorted((self.job(one) for one in self._symbols.get(symbol, ())), key=lambda job: job.ordinal)

    def edition(self, symbol: str) -> int:
        """Return a number that grows with each change of a job of the symbol."""
        return self._editions[symbol]

    def counts(self, kind: JobKind) -> JobCounts:
        """Return the jobs of a kind by state."""
        return JobCounts(**{str(state): self.states[kind, state] for state in JobState})

    def enter(self, job: JobFact, tries: tuple[Try, ...]) -> None:
        """Take a job as it is now, with its attempts, in place of what was known of it."""
        before = self._jobs.get(job.id)
        if before is None:
            self._symbols.setdefault(job.symbol, []).append(job.id)
            self._span = min(self._span[0] or job.id, job.id), max(self._span[1], job.id)
        else:
            self._count(before, self._tries.pop(job.id, ()), -1)
        self._jobs[job.id] = job
        if tries:
            self._tries[job.id] = tries
        self._count(job, tries, 1)
        self._editions[job.symbol] += 1

    def _count(self, job: JobFact, tries: tuple[Try, ...], by: int) -> None:
        _add(self.states, (job.kind, job.state), by)
        for reason in job.refused_by:
            _add(self.refusals, reason, by)
        self.promoted += by * bool(job.promoted)
        self.reused += by * job.reused
        failed = job.kind is JobKind.TRAINING and job.state is JobState.FAILED
        self.untrainable += by * (failed and job.cause is Cause.DATA)
        if job.state is JobState.QUEUED:
            alike = self.queued.setdefault(job.symbol, Counter())
            _add(alike, job.alike, by)
            if not alike:
                del self.queued[job.symbol]
        if job.touched:
            _place(self.by_change, (job.changed, job.id), by)
        if job.auc is not None:
            _place(self.by_auc, (job.auc, -job.ordinal, job.id), by)
            if job.finished is not None:
                _place(self.by_end, (job.finished, -job.ordinal, job.id), by)
        self.attempts += by * len(tries)
        for one in tries:
            self._count_try(job, one, by)

    def _count_try(self, job: JobFact, one: Try, by: int) -> None:
        if one.outcome is Outcome.RUNNING:
            return
        _add(self.outcomes, one.outcome, by)
        if one.cause is not None:
            _add(self.causes, one.cause, by)
        if one.outcome is Outcome.SUCCEEDED and job.timeframe is not None and one.ended is not None:
            _place(self.successes, (one.ended, one.id, one.started, job.rows or 0), by)
            if one.seconds is not None:
                _place(self.durations[job.timeframe], one.seconds, by)


def _add(counts: Counter[Any], key: Any, by: int) -> None:
    counts[key] += by
    if not counts[key]:
        del counts[key]


def _place(ordered: list[Any], value: Any, by: int) -> None:
    if by > 0:
        insort(ordered, value)
    else:
        del ordered[bisect_left(ordered, value)]
