"""Runs: one is created from its grid, continued, cancelled, ended; one at a time is unfinished."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from common.errors import ConflictError
from common.protocol.jobs import JobKind
from common.protocol.runs import RunRequest, RunState
from common.settings.grid import GridConfig, grid_of
from common.settings.sections import Data
from coordinator.champions.decision import moment_of_end
from coordinator.queue.cancellations import cancel_all, has_open_jobs
from coordinator.queue.surveys import survey_spec
from coordinator.queue.transitions import create_jobs
from coordinator.runs.ended import record_end
from coordinator.store.database import Database, Transaction
from coordinator.store.rows import RunRow, all_of, running_run
from coordinator.store.tables import runs, symbols

logger = logging.getLogger(__name__)

FORMER_BAR_MISSING_SHARE = 0.0
"""The default before 0.05: a night that was begun with it is the same night, and continues with it."""


class Runs:
    """Begins runs.

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
        with self._beginning() as tx:
            present = running_run(tx, lock=True)
            if present is not None:
                if not request.fresh:
                    _assert_equal(present, request.config)
                    return present, False
                if present.decided is not None:
                    raise ConflictError(f"night {present.id} is about to end", "try again in a moment")
                cancel_run(tx, present, "the night was cancelled by one that was begun afresh")
            run = _make(tx, request)
        return run, True

    def begin(self, request: RunRequest, is_due: Callable[[Transaction], bool]) -> RunRow | None:
        """Create a run if `is_due` says so within the transaction that creates it; else return None.

        Raises
        ------
        ConflictError
            Another run was begun at the very same moment.
        """
        with self._beginning() as tx:
            return _make(tx, request) if is_due(tx) else None

    @contextmanager
    def _beginning(self) -> Iterator[Transaction]:
        try:
            with self.database.write() as tx:
                yield tx
        except IntegrityError as error:
            # The rule of one unfinished run is the database's; a second coordinator may have been quicker.
            raise ConflictError("another night has just begun", "try again") from error


def cancel_run(tx: Transaction, run: RunRow, message: str) -> int:
    """Cancel an undecided run with all its jobs that are not over, and return how many those were."""
    cancelled = cancel_all(tx, run.id, message)
    tx.connection.execute(
        update(runs)
        .where(runs.c.id == run.id)
        .values(state=RunState.CANCELLED, decided=moment_of_end(tx), finished=tx.now)
    )
    return cancelled


def unsettled_run(tx: Transaction) -> RunRow | None:
    """Return the running run if all its jobs are final, so that it can be decided and ended."""
    run = running_run(tx)
    if run is None:
        return None
    return run if is_settled(tx, run) else None


def is_settled(tx: Transaction, run: RunRow) -> bool:
    """Return whether all jobs of a run are final."""
    return not has_open_jobs(tx, run.id)


def unreported_run(tx: Transaction) -> RunRow | None:
    """Return a cancelled run whose results were not written yet."""
    query = all_of(runs).where(runs.c.state == RunState.CANCELLED, runs.c.results_path == "")
    row = tx.connection.execute(query.order_by(runs.c.id).limit(1)).first()
    return None if row is None else RunRow.of(row)


def end_run(tx: Transaction, run: RunRow, results_path: str) -> None:
    """Record that the results of a run were written; a running one is done, and what follows is due.

    It has taken until its models were decided on: the files that are written after that are no part of it.
    """
    values: dict[str, Any] = {"results_path": results_path}
    if run.state is RunState.RUNNING:
        values |= {"state": RunState.DONE, "finished": run.decided or tx.now}
    tx.connection.execute(update(runs).where(runs.c.id == run.id, runs.c.state == run.state).values(**values))
    record_end(tx, run.id)


def _make(tx: Transaction, request: RunRequest) -> RunRow:
    config = request.config
    values = {"state": RunState.RUNNING, "config": config.model_dump_json(), "synthetic": False}
    values["retrain"] = request.retrain
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
    surveys: Iterator[dict[str, Any]] = (
        {
            "kind": JobKind.SURVEY,
            "symbol": symbol,
            "timeframe": None,
            "horizon": None,
            "spec": survey_spec(config, symbol).model_dump_json(),
            "waiting_since": tx.now,
        }
        for symbol in config.symbols
    )
    trainings: Iterator[dict[str, Any]] = (
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
    )
    create_jobs(tx, run.id, chain(surveys, trainings))
    cells = len(config.symbols) * len(config.timeframes) * len(config.horizons)
    logger.info("run %d: %d cells of %d symbols", run.id, cells, len(config.symbols))
    return run


def _assert_equal(present: RunRow, wanted: GridConfig) -> None:
    before = grid_of(present.config).model_dump(mode="json")
    after = wanted.model_dump(mode="json")
    shares = before["data"]["max_bar_missing_share"], after["data"]["max_bar_missing_share"]
    if shares == (FORMER_BAR_MISSING_SHARE, Data().max_bar_missing_share):
        before["data"] = {**before["data"], "max_bar_missing_share": shares[1]}
    differing = [
        f"{key} (there {_listed(before[key])}, here {_listed(after[key])})"
        for key in after
        if before[key] != after[key]
    ]
    if differing:
        problem = f"night {present.id} is unfinished and has another configuration: {'; '.join(differing)}"
        raise ConflictError(problem, "continue it with its own configuration, or start over with --fresh")


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
