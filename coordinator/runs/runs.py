"""Runs: one is created from its grid, continued, or cancelled; there is one unfinished run at a time."""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from common.errors import ConflictError
from common.protocol.job_views import Outcome
from common.protocol.jobs import FINAL_STATES, Cause, JobKind, JobState
from common.protocol.runs import RunRequest, RunState
from common.settings.grid import GridConfig
from common.settings.sections import Data
from coordinator.queue.leases import job_of
from coordinator.queue.surveys import survey_spec
from coordinator.queue.transitions import Ending, close_attempt, create_jobs, end_queued
from coordinator.store.database import Database, Transaction
from coordinator.store.rows import (
    JOBS,
    OPEN_ATTEMPTS,
    AttemptRow,
    JobRow,
    RunRow,
    all_of,
    find_run,
    running_run,
)
from coordinator.store.tables import attempts, jobs, runs, symbols

logger = logging.getLogger(__name__)

FORMER_BAR_MISSING_SHARE = 0.0
"""The default before 0.05: a night that was begun with it is the same night, and continues with it."""


class Runs:
    """Begins runs and cancels them.

    Parameters
    ----------
    database : Database
        Where everything is kept; this object holds no state.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def submit(self, request: RunRequest) -> tuple[RunRow, bool]:
        """Create a run, or continue the unfinished one if it is the same night.

        Returns
        -------
        tuple of RunRow and bool
            The run, and whether it was created now.

        Raises
        ------
        ConflictError
            Another night is unfinished; it names what differs.
        """
        try:
            with self.database.write() as tx:
                present = running_run(tx, lock=True)
                if present is not None:
                    if not request.fresh:
                        _assert_equal(present, request.config)
                        return present, False
                    if present.decided is not None:
                        raise ConflictError(f"run {present.id} is about to end", "try again in a moment")
                    _cancel(tx, present)
                run = _make(tx, request.config)
        except IntegrityError as error:
            # The rule of one unfinished run is the database's; a second coordinator may have been quicker.
            raise ConflictError("another run has just begun", "try again") from error
        config = request.config
        cells = len(config.symbols) * len(config.timeframes) * len(config.horizons)
        logger.info("run %d: %d cells of %d symbols", run.id, cells, len(config.symbols))
        return run, True

    def cancel(self, run_id: int) -> RunRow:
        """Cancel a run: its jobs are cancelled, and trainers learn of it at their next renewal.

        Raises
        ------
        NotFoundError
            There is no such run.
        ConflictError
            The run is done.
        """
        with self.database.write() as tx:
            run = find_run(tx, run_id)
            if run.state is not RunState.CANCELLED:
                if run.decided is not None:
                    raise ConflictError(f"run {run_id} is done and cannot be cancelled")
                _cancel(tx, run)
            cancelled = find_run(tx, run_id)
        logger.warning("run %d was cancelled", run_id)
        return cancelled


def unsettled_run(tx: Transaction) -> RunRow | None:
    """Return the running run if all its jobs are final, so that it can be decided and ended."""
    run = running_run(tx)
    if run is None:
        return None
    return run if is_settled(tx, run) else None


def is_settled(tx: Transaction, run: RunRow) -> bool:
    """Return whether all jobs of a run are final."""
    return not _open_job(tx, run)


def unreported_run(tx: Transaction) -> RunRow | None:
    """Return a cancelled run whose results were not written yet."""
    query = all_of(runs).where(runs.c.state == RunState.CANCELLED, runs.c.results_path == "")
    row = tx.connection.execute(query.order_by(runs.c.id).limit(1)).first()
    return None if row is None else RunRow.of(row)


def end_run(tx: Transaction, run: RunRow, results_path: str) -> None:
    """Record that the results of a run were written; a running one is done with that."""
    values: dict[str, Any] = {"results_path": results_path}
    if run.state is RunState.RUNNING:
        values |= {"state": RunState.DONE, "finished": tx.now}
    tx.connection.execute(update(runs).where(runs.c.id == run.id, runs.c.state == run.state).values(**values))


def _make(tx: Transaction, config: GridConfig) -> RunRow:
    values = {"state": RunState.RUNNING, "config": config.model_dump_json(), "synthetic": False}
    inserted = tx.connection.execute(
        runs.insert().values(created=tx.now, results_path="", **values).returning(*runs.c)
    )
    run = RunRow.of(inserted.one())
    tx.connection.execute(
        symbols.insert(),
        [
            {"run_id": run.id, "symbol": symbol, "quote_volume": 0.0, "failing": "[]"}
            for symbol in config.symbols
        ],
    )
    made: list[dict[str, Any]] = [
        {
            "kind": JobKind.SURVEY,
            "symbol": symbol,
            "timeframe": None,
            "horizon": None,
            "spec": survey_spec(config, symbol).model_dump_json(),
            "waiting_since": tx.now,
        }
        for symbol in config.symbols
    ]
    made += [
        {
            "kind": JobKind.TRAINING,
            "symbol": symbol,
            "timeframe": timeframe,
            "horizon": horizon,
            "spec": None,
            "waiting_since": None,
        }
        for symbol in config.symbols
        for timeframe in config.timeframes
        for horizon in config.horizons
    ]
    create_jobs(tx, run.id, made)
    return run


def _cancel(tx: Transaction, run: RunRow) -> None:
    cancelled: dict[str, Any] = {"cause": Cause.CANCELLED, "message": "the run was cancelled"}
    # A claim or an end that was under way meanwhile moves a job from one query to the other: look again.
    while _open_job(tx, run):
        _cancel_held(tx, run, cancelled)
        queued = JOBS.where(jobs.c.run_id == run.id, jobs.c.state == JobState.QUEUED).order_by(jobs.c.id)
        for row in tx.connection.execute(queued.with_for_update()).all():
            end_queued(tx, JobRow.of(row), JobState.CANCELLED, **cancelled)
    tx.connection.execute(
        update(runs)
        .where(runs.c.id == run.id)
        .values(state=RunState.CANCELLED, decided=tx.now, finished=tx.now)
    )


def _cancel_held(tx: Transaction, run: RunRow, cancelled: dict[str, Any]) -> None:
    of_run = select(jobs.c.id).where(jobs.c.run_id == run.id)
    held = OPEN_ATTEMPTS.where(attempts.c.job_id.in_(of_run)).with_for_update()
    for row in tx.connection.execute(held).all():
        attempt = AttemptRow.of(row)
        seconds = (tx.now - attempt.started).total_seconds()
        ending = Ending(Outcome.CANCELLED, **cancelled, seconds=seconds)
        close_attempt(tx, job_of(tx, attempt), attempt, ending, JobState.CANCELLED, **cancelled)


def _open_job(tx: Transaction, run: RunRow) -> bool:
    query = select(jobs.c.id).where(jobs.c.run_id == run.id, jobs.c.state.not_in(FINAL_STATES)).limit(1)
    return tx.connection.execute(query).first() is not None


def _assert_equal(present: RunRow, wanted: GridConfig) -> None:
    before = GridConfig.model_validate_json(present.config).model_dump(mode="json")
    after = wanted.model_dump(mode="json")
    shares = before["data"]["max_bar_missing_share"], after["data"]["max_bar_missing_share"]
    if shares == (FORMER_BAR_MISSING_SHARE, Data().max_bar_missing_share):
        before["data"] = {**before["data"], "max_bar_missing_share": shares[1]}
    differing = [
        f"{key} (there {before[key]}, here {after[key]})" for key in after if before[key] != after[key]
    ]
    if differing:
        problem = f"run {present.id} is unfinished and has another configuration: {'; '.join(differing)}"
        raise ConflictError(problem, "go on with its configuration, or start over with --fresh")
