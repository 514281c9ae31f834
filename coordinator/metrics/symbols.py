"""What is reported of each symbol and each cell: most of a scrape, of which little changes between two."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from functools import partial

from common.metrics import declarations as metrics
from common.metrics.declarations import BREAKER_STATES, FINAL_CAUSE
from common.metrics.exposition import Metric
from common.metrics.kept import KeptFamily, Series, WrittenFamily
from common.protocol.jobs import Cause, JobKind, JobState
from coordinator.metrics.facts import Facts
from coordinator.policy.breaker import Gate
from coordinator.views.book import Book, JobFact

METRICS = (
    metrics.RUN_FAILED_JOBS,
    metrics.QUEUE_JOBS,
    metrics.QUEUE_OLDEST_WAIT,
    metrics.BREAKER_STATE,
    metrics.CELL_AUC,
    metrics.CELL_BRIER,
    metrics.CELL_ACCURACY,
    metrics.CELL_PROMOTED,
)

FINAL_CAUSES = tuple(Cause(cause) for cause in FINAL_CAUSE.values)


class SymbolSeries:
    """The families with a series for each symbol or cell, kept from scrape to scrape."""

    def __init__(self) -> None:
        self._book: Book | None = None
        self._families: dict[Metric, KeptFamily] = {}
        self._waiting: dict[str, tuple[int, datetime | None]] = {}

    def families(self, facts: Facts) -> list[WrittenFamily]:
        """Return the families as they are; none before the first run. To be called in the book's turn."""
        run = facts.run
        if run is None:
            return []
        if self._book is not run.book:
            self._book, self._waiting = run.book, {}
            self._families = {metric: KeptFamily(metric) for metric in METRICS}
        waits: dict[tuple[str, ...], float] = {}
        for symbol in run.view.config.symbols:
            since = self._read_symbol(run.book, symbol)
            # After a failure it waits only from the moment at which it may be tried again.
            waits[symbol,] = max(0.0, (facts.now - since).total_seconds()) if since is not None else 0.0
            gate = run.gates.get(symbol, Gate.CLOSED)
            self._families[metrics.BREAKER_STATE].keep(symbol, gate, partial(_gates, symbol, gate))
        self._families[metrics.QUEUE_OLDEST_WAIT].keep("", waits, lambda: waits)
        return [family.written() for family in self._families.values()]

    def _read_symbol(self, book: Book, symbol: str) -> datetime | None:
        """Read what has changed of a symbol, and return since when its oldest queued job has waited."""
        edition = book.edition(symbol)
        known, since = self._waiting.get(symbol, (None, None))
        if known == edition:
            return since
        jobs = book.of_symbol(symbol)
        queued = [job for job in jobs if job.state is JobState.QUEUED]
        failed = Counter(job.cause for job in jobs if job.state is JobState.FAILED)
        series: dict[Metric, Series] = {
            metrics.QUEUE_JOBS: {(symbol,): float(len(queued))},
            metrics.RUN_FAILED_JOBS: {(symbol, cause): float(failed[cause]) for cause in FINAL_CAUSES},
        }
        for place, metric in enumerate((metrics.CELL_AUC, metrics.CELL_BRIER, metrics.CELL_ACCURACY)):
            scored = ((job, job.scores[place]) for job in jobs if job.scores is not None)
            series[metric] = {_cell(job): score for job, score in scored if score is not None}
        decided = (job for job in jobs if job.kind is JobKind.TRAINING and job.promoted is not None)
        series[metrics.CELL_PROMOTED] = {_cell(job): float(bool(job.promoted)) for job in decided}
        for metric, values in series.items():
            self._families[metric].keep(symbol, edition, partial(dict, values))
        since = min((job.waiting_since for job in queued if job.waiting_since is not None), default=None)
        self._waiting[symbol] = edition, since
        return since


def _cell(job: JobFact) -> tuple[str, ...]:
    return job.symbol, str(job.timeframe), str(job.horizon)


def _gates(symbol: str, gate: Gate) -> Series:
    return {(symbol, state): float(state == gate) for state in BREAKER_STATES}
