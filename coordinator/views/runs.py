"""Runs as operators see them: what they train, and how far they are."""

from __future__ import annotations

from sqlalchemy import case, func, select

from common.protocol.jobs import Cause, JobKind, JobState
from common.protocol.runs import JobCounts, RunPage, RunState, RunView
from common.settings.grid import grid_of
from coordinator.store.database import Database, Transaction
from coordinator.store.rows import RunRow, all_of, find_run
from coordinator.store.tables import checkpoints, jobs, runs


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
    config = grid_of(run.config)
    counts = counts_of(tx, run.id)
    training = counts[JobKind.TRAINING]
    done = training.final + _saved_folds(tx, run.id, config.n_splits) / config.n_splits
    own = select(func.count()).where(jobs.c.run_id == run.id)
    promoted = own.where(jobs.c.promoted)
    refused = own.where(jobs.c.kind == JobKind.TRAINING, jobs.c.state == JobState.FAILED)
    untrainable = refused.where(jobs.c.cause == Cause.DATA)
    return RunView.of(
        run,
        config=config,
        surveys=counts[JobKind.SURVEY],
        training=training,
        progress_ratio=done / training.total,
        promoted=tx.connection.execute(promoted).scalar_one(),
        untrainable=tx.connection.execute(untrainable).scalar_one(),
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
