"""Every earlier night at a glance: totals, duration and promotions, a few queries for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Select, func, select

from common.protocol.jobs import Cause, JobKind, JobState
from common.protocol.runs import JobCounts, RunState
from coordinator.store.database import Database, Transaction
from coordinator.store.rows import RunRow, all_of, find_run
from coordinator.store.tables import attempts, jobs, runs
from coordinator.views.excerpt import EVERYTHING, Excerpt
from coordinator.views.grid import Grid, read_grid


@dataclass(frozen=True)
class NightSummary:
    """A night in figures; `mean_auc` is that of its trained cells, None before there is one.

    `untrainable` counts those of its failed cells whose candles cannot be trained on: nothing broke there.
    `reused` counts those of its succeeded cells that took over the result of an earlier night.
    `held` says that an operator has no more of its jobs handed out: it is paused, or being ended early.
    """

    id: int
    state: RunState
    synthetic: bool
    started: datetime
    finished: datetime | None
    cells: JobCounts
    surveys: JobCounts
    untrainable: int
    promoted: int
    attempts: int
    mean_auc: float | None
    has_results: bool
    held: Literal["", "paused", "ending"] = ""
    reused: int = 0

    @property
    def broken(self) -> int:
        """How many cells failed though their candles could be trained on."""
        return self.cells.failed - self.untrainable

    @property
    def state_word(self) -> str:
        """What it is at, in a word."""
        return self.held or str(self.state)

    def seconds(self, now: datetime) -> float:
        """Return how long it took, or has taken until `now`."""
        return ((self.finished or now) - self.started).total_seconds()


@dataclass(frozen=True)
class NightPage:
    """Some of the nights, the newest first; `now` is the coordinator's time."""

    now: datetime
    total: int
    limit: int
    offset: int
    nights: tuple[NightSummary, ...]


def night_page(database: Database, limit: int, offset: int) -> NightPage:
    """Return some of the nights, the newest first."""
    with database.read() as tx:
        total = tx.connection.execute(select(func.count()).select_from(runs)).scalar_one()
        query = all_of(runs).order_by(runs.c.id.desc()).limit(limit).offset(offset)
        found = [RunRow.of(row) for row in tx.connection.execute(query)]
        return NightPage(tx.now, total, limit, offset, tuple(_summaries(tx, found)))


def night_grid(
    database: Database, run_id: int, excerpt: Excerpt = EVERYTHING, states: Sequence[str] = ()
) -> tuple[NightSummary, Grid, datetime]:
    """Return one night in figures, what is shown of its grid (`read_grid`), and the coordinator's time.

    Raises
    ------
    NotFoundError
        There is no such night.
    """
    with database.read() as tx:
        run = find_run(tx, run_id)
        return night_summary(tx, run), read_grid(tx, run, excerpt, states), tx.now


def nights_until(tx: Transaction, run: RunRow, limit: int) -> list[NightSummary]:
    """Return a night and those before it in figures, the newest first, so many at most."""
    query = all_of(runs).where(runs.c.id <= run.id).order_by(runs.c.id.desc()).limit(limit)
    return _summaries(tx, [RunRow.of(row) for row in tx.connection.execute(query)])


def night_summary(tx: Transaction, run: RunRow) -> NightSummary:
    """Return one night in figures."""
    [summary] = _summaries(tx, [run])
    return summary


def _summaries(tx: Transaction, found: Sequence[RunRow]) -> list[NightSummary]:
    ids = [run.id for run in found]
    by_state = (
        select(jobs.c.run_id, jobs.c.kind, jobs.c.state, func.count())
        .where(jobs.c.run_id.in_(ids))
        .group_by(jobs.c.run_id, jobs.c.kind, jobs.c.state)
    )
    counts: dict[tuple[int, str], dict[str, int]] = {}
    for run_id, kind, state, count in tx.connection.execute(by_state):
        counts.setdefault((run_id, kind), {})[state] = count
    figures = (
        select(jobs.c.run_id, func.avg(jobs.c.auc)).where(jobs.c.run_id.in_(ids)).group_by(jobs.c.run_id)
    )
    auc = _by_run(tx, figures)
    chosen = (
        select(jobs.c.run_id, func.count())
        .where(jobs.c.run_id.in_(ids), jobs.c.promoted)
        .group_by(jobs.c.run_id)
    )
    promoted = _by_run(tx, chosen)
    of_data = (
        select(jobs.c.run_id, func.count())
        .where(jobs.c.run_id.in_(ids), jobs.c.kind == JobKind.TRAINING)
        .where(jobs.c.state == JobState.FAILED, jobs.c.cause == Cause.DATA)
        .group_by(jobs.c.run_id)
    )
    untrainable = _by_run(tx, of_data)
    taken = (
        select(jobs.c.run_id, func.count())
        .where(jobs.c.run_id.in_(ids), jobs.c.reused_from.is_not(None))
        .group_by(jobs.c.run_id)
    )
    reused = _by_run(tx, taken)
    tries = (
        select(jobs.c.run_id, func.count())
        .join_from(attempts, jobs, attempts.c.job_id == jobs.c.id)
        .where(jobs.c.run_id.in_(ids))
        .group_by(jobs.c.run_id)
    )
    tried = _by_run(tx, tries)
    return [
        NightSummary(
            id=run.id,
            state=run.state,
            synthetic=run.synthetic,
            started=run.created,
            finished=run.finished,
            cells=JobCounts(**counts.get((run.id, JobKind.TRAINING), {})),
            surveys=JobCounts(**counts.get((run.id, JobKind.SURVEY), {})),
            untrainable=untrainable.get(run.id, 0),
            promoted=promoted.get(run.id, 0),
            attempts=tried.get(run.id, 0),
            mean_auc=auc.get(run.id),
            has_results=bool(run.results_path),
            held=_held(run),
            reused=reused.get(run.id, 0),
        )
        for run in found
    ]


def _held(run: RunRow) -> Literal["", "paused", "ending"]:
    if run.state is not RunState.RUNNING:
        return ""
    return "ending" if run.ended_early is not None else "paused" if run.paused is not None else ""


def _by_run(tx: Transaction, query: Select[Any]) -> dict[int, Any]:
    return {row[0]: row[1] for row in tx.connection.execute(query)}
