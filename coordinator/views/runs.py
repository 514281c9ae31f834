"""Runs as operators see them: what they train, and how far they are."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from sqlalchemy import bindparam, case, func, select

from common.protocol.jobs import Cause, JobKind, JobState
from common.protocol.runs import JobCounts, RunPage, RunState, RunView
from common.settings.grid import grid_of
from coordinator.store.database import Database, Transaction
from coordinator.store.prepared import Prepared
from coordinator.store.rows import RunRow, all_of, find_run
from coordinator.store.tables import checkpoints, jobs, runs
from coordinator.views.book import Book

_SAVED = Prepared(
    select(checkpoints.c.job_id, checkpoints.c.folds, checkpoints.c.saved).where(
        checkpoints.c.job_id.between(bindparam("first"), bindparam("last"))
    )
)


class RunListing:
    """The runs as operators see them.

    Parameters
    ----------
    database : Database
        Where everything is kept; this object holds no state.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def view(self, run_id: int) -> RunView:
        """Return a run.

        Raises
        ------
        NotFoundError
            There is no such run.
        """
        with self.database.read() as tx:
            return run_view(tx, find_run(tx, run_id))

    def page(self, limit: int, offset: int) -> RunPage:
        """Return runs, the newest first."""
        with self.database.read() as tx:
            total = tx.connection.execute(select(func.count()).select_from(runs)).scalar_one()
            query = all_of(runs).order_by(runs.c.id.desc()).limit(limit).offset(offset)
            found = tuple(run_view(tx, RunRow.of(row)) for row in tx.connection.execute(query))
        return RunPage(total=total, limit=limit, offset=offset, runs=found)


def run_view(tx: Transaction, run: RunRow) -> RunView:
    """Return a run and how far it is."""
    own = select(func.count()).where(jobs.c.run_id == run.id)
    refused = own.where(jobs.c.kind == JobKind.TRAINING, jobs.c.state == JobState.FAILED)
    untrainable = refused.where(jobs.c.cause == Cause.DATA)
    return _view(
        run,
        counts_of(tx, run.id),
        saved=_saved_folds(tx, run.id, grid_of(run.config).n_splits),
        promoted=tx.connection.execute(own.where(jobs.c.promoted)).scalar_one(),
        untrainable=tx.connection.execute(untrainable).scalar_one(),
        reused=tx.connection.execute(own.where(jobs.c.reused_from.is_not(None))).scalar_one(),
    )


def view_of(tx: Transaction, run: RunRow, book: Book) -> RunView:
    """Return the run of a book, and how far it is."""
    most = grid_of(run.config).n_splits
    return _view(
        run,
        {kind: book.counts(kind) for kind in JobKind},
        saved=sum(min(folds, most) for folds, _ in saved_of(tx, book).values()),
        promoted=book.promoted,
        untrainable=book.untrainable,
        reused=book.reused,
    )


def saved_of(tx: Transaction, book: Book) -> dict[int, tuple[int, datetime]]:
    """Return how many folds of each job that is not over are saved, and since when."""
    first, last = book.span
    return {
        job_id: (folds, saved)
        for job_id, folds, saved in _SAVED.on(tx.connection, {"first": first, "last": last})
        if job_id in book and book.job(job_id).finished is None
    }


def _view(
    run: RunRow, counts: dict[JobKind, JobCounts], *, saved: int, promoted: int, untrainable: int, reused: int
) -> RunView:
    training = counts[JobKind.TRAINING]
    # A copy, since whatever is made anew has its configuration checked, symbol by symbol.
    return _unbegun(run).model_copy(
        update={
            "surveys": counts[JobKind.SURVEY],
            "training": training,
            "progress_ratio": (training.final + saved / grid_of(run.config).n_splits) / training.total,
            "promoted": promoted,
            "untrainable": untrainable,
            "reused": reused,
        }
    )


@lru_cache(maxsize=16)
def _unbegun(run: RunRow) -> RunView:
    return RunView.of(
        run,
        config=grid_of(run.config),
        surveys=JobCounts(),
        training=JobCounts(),
        progress_ratio=0.0,
        promoted=0,
        untrainable=0,
        reused=0,
        paused=run.pause if run.state is RunState.RUNNING else None,
        ended_early=run.early_end,
    )


def counts_of(tx: Transaction, run_id: int) -> dict[JobKind, JobCounts]:
    """Return a run's jobs by state, for each kind."""
    query = (
        select(jobs.c.kind, jobs.c.state, func.count())
        .where(jobs.c.run_id == run_id)
        .group_by(jobs.c.kind, jobs.c.state)
    )
    found: dict[str, dict[str, int]] = {kind: {} for kind in JobKind}
    for kind, state, count in tx.connection.execute(query):
        found[kind][state] = count
    return {kind: JobCounts(**found[kind]) for kind in JobKind}


def _saved_folds(tx: Transaction, run_id: int, most: int) -> int:
    folds = func.sum(case((checkpoints.c.folds > most, most), else_=checkpoints.c.folds))
    query = (
        select(func.coalesce(folds, 0))
        .join_from(checkpoints, jobs, checkpoints.c.job_id == jobs.c.id)
        .where(jobs.c.run_id == run_id, jobs.c.finished.is_(None))
    )
    return int(tx.connection.execute(query).scalar_one())
