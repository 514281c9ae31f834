"""The files that tell of a run: its results, once it has ended, and its progress all the while."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from common.protocol.jobs import JobState
from common.protocol.status import EtaView
from common.whole_file import write_whole
from coordinator.queue.checkpoints import saved_folds
from coordinator.store.database import Database, Transaction
from coordinator.store.rows import NEWEST_RUN, AttemptRow, RunRow
from coordinator.views.jobs import attempts_of, jobs_of, progress_of
from coordinator.views.results import results_of
from coordinator.views.runs import run_view

PROGRESS_SCHEMA = "nighttrain.progress/1"


def write_results(tx: Transaction, run: RunRow, path: Path) -> None:
    """Write the results of a run whose jobs are all final.

    Raises
    ------
    StorageError
        The file could not be written.
    """
    document = results_of(tx, run).model_dump_json(by_alias=True, indent=1)
    write_whole(path, (document + "\n").encode())


def write_progress(database: Database, path: Path, eta: EtaView) -> None:
    """Write how far the newest run is, for whoever looks at the folder without asking the coordinator.

    Raises
    ------
    StorageError
        The file could not be written.
    """
    with database.read() as tx:
        row = tx.connection.execute(NEWEST_RUN).first()
        if row is None:
            return
        document = _progress(tx, RunRow.of(row), eta)
    write_whole(path, (json.dumps(document, indent=1) + "\n").encode())


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
    progress = progress_of(attempt)
    return progress.model_dump(mode="json") if progress else None


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
