"""The file of the night's progress, written every 30 seconds and whenever a run has ended."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from common.protocol.jobs import JobState
from common.protocol.status import EtaView
from common.whole_file import write_whole
from coordinator.housekeeping.duty import Duty, Turn
from coordinator.queue.checkpoints import saved_folds
from coordinator.store.database import Database, Transaction
from coordinator.store.rows import AttemptRow, RunRow, newest_run
from coordinator.views.forecast import Forecast
from coordinator.views.jobs import attempts_of, jobs_of
from coordinator.views.runs import run_view

PROGRESS_SCHEMA = "nighttrain.progress/1"


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
            if run is None:
                return
            document = _progress(tx, run, eta)
        write_whole(self.path, (json.dumps(document, indent=1) + "\n").encode())


def _progress(tx: Transaction, run: RunRow, eta: EtaView) -> dict[str, Any]:
    found = jobs_of(tx, run.id)
    history = attempts_of(tx, [job.id for job in found if job.state is JobState.LEASED])
    folds = saved_folds(tx, [job.id for job in found])
    return {
        "schema": PROGRESS_SCHEMA,
        "written": _iso(tx.now),
        "run": run_view(tx, run).model_dump(mode="json", exclude={"config"}),
        "eta": eta.model_dump(mode="json"),
        "jobs": [
            {
                "id": job.id,
                "job": job.name,
                "state": job.state,
                "cause": job.cause,
                "message": job.message,
                "trainer": history[job.id][-1].trainer if job.id in history else "",
                "progress": _shown_progress(history[job.id][-1]) if job.id in history else None,
                "folds_saved": folds.get(job.id, 0),
                "changed": _iso(job.changed),
            }
            for job in found
        ],
    }


def _shown_progress(attempt: AttemptRow) -> dict[str, Any] | None:
    progress = attempt.reported
    return progress.model_dump(mode="json") if progress else None


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
