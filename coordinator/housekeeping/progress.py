"""The file of the night's progress, written every 30 seconds and whenever a run has ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Row, bindparam, select

from common.protocol.jobs import JobKind
from common.protocol.status import EtaView
from common.whole_file import whole_file
from coordinator.housekeeping.duty import Duty, Turn
from coordinator.store.database import Database, Transaction
from coordinator.store.rows import RunRow, job_name, newest_run, progress_of
from coordinator.store.tables import attempts, checkpoints, jobs
from coordinator.views.forecast import Forecast
from coordinator.views.runs import run_view

PROGRESS_SCHEMA = "nighttrain.progress/1"
CHUNK = 500
"""So many jobs are read at a time."""

_JOBS = (
    select(
        jobs.c.id,
        jobs.c.kind,
        jobs.c.symbol,
        jobs.c.timeframe,
        jobs.c.horizon,
        jobs.c.state,
        jobs.c.cause,
        jobs.c.message,
        jobs.c.changed,
        attempts.c.trainer,
        attempts.c.progress,
        checkpoints.c.folds,
    )
    .outerjoin_from(jobs, attempts, (attempts.c.job_id == jobs.c.id) & attempts.c.ended.is_(None))
    .outerjoin(checkpoints, checkpoints.c.job_id == jobs.c.id)
    .where(jobs.c.run_id == bindparam("run"))
    .order_by(jobs.c.ordinal)
    .execution_options(yield_per=CHUNK)
)

_KINDS = {str(one): one for one in JobKind}


class ProgressFile(Duty):
    """Writes how far the newest run is, for whoever looks at the folder without asking the coordinator.

    Parameters
    ----------
    database : Database
        Where everything is kept.
    path : Path
        The file.
    forecast : Forecast
        Estimates the end of the run.
    """

    name = "progress"
    interval_seconds = 30.0

    def __init__(self, database: Database, path: Path, forecast: Forecast) -> None:
        self.database = database
        self.path = path
        self.forecast = forecast

    def run(self, turn: Turn) -> None:
        """Write it."""
        del turn
        self.write()

    def stop(self) -> None:
        """Write it a last time."""
        self.write()

    def write(self) -> None:
        """Write the file; before the first run there is none.

        Raises
        ------
        StorageError
            The file could not be written.
        """
        eta = self.forecast.eta()
        with self.database.read() as tx:
            run = newest_run(tx)
            if run is not None:
                # It is written again soon, and can be made of the database.
                with whole_file(self.path, durable=False) as file:
                    file.writelines(_written(tx, run, eta))


def _written(tx: Transaction, run: RunRow, eta: EtaView) -> Iterator[bytes]:
    """Yield the document piece by piece: a large night has more jobs than should be held at once."""
    head = {
        "schema": PROGRESS_SCHEMA,
        "written": _iso(tx.now),
        "run": run_view(tx, run).model_dump(mode="json", exclude={"config"}),
        "eta": eta.model_dump(mode="json"),
        "jobs": [],
    }
    yield json.dumps(head, indent=1).removesuffix("]\n}").encode()
    separator = b"\n  "
    for rows in tx.connection.execute(_JOBS, {"run": run.id}).partitions():
        yield separator + b",\n  ".join([_job(row) for row in rows])
        separator = b",\n  "
    yield b"\n ]\n}\n"


def _job(row: Row[*tuple[Any, ...]]) -> bytes:
    # By their places: a night has up to a hundred thousand.
    job_id, kind, symbol, timeframe, horizon, state, cause, message, changed, trainer, told, folds = row
    progress = progress_of(told)
    return to_json(
        {
            "id": job_id,
            "job": job_name(_KINDS[kind], symbol, timeframe, horizon),
            "state": state,
            "cause": cause,
            "message": message,
            "trainer": trainer or "",
            "progress": progress.model_dump(mode="json") if progress else None,
            "folds_saved": folds or 0,
            "changed": _iso(changed),
        }
    )


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
