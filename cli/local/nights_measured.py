"""Earlier nights, by their results below the out folder, and what they took."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from common.errors import NotFoundError
from common.out_folder import OutFolder
from common.protocol.jobs import JobState
from common.protocol.results import Results
from common.protocol.runs import JobCounts, RunState

RECENT_NIGHTS = 5


def measured_nights(out: OutFolder) -> list[Results]:
    """Return the results of the last nights, the newest first, that have trained all their cells themselves.

    What a night reused took no time and no memory, and what it trained besides may have been the smallest
    cells alone. Results that cannot be read are passed over.
    """
    measured = (results for _, results in _nights(out) if not results.totals.reused)
    return list(islice(measured, RECENT_NIGHTS))


def kept_night(out: OutFolder, number: int | None = None) -> tuple[Path, Results] | None:
    """Return the results of the last night that has ended, or of one by its number, and their file.

    They are read without a coordinator: what it has written of a night that has ended stays as it is. None:
    there are none.

    Raises
    ------
    NotFoundError
        There are some, and none has the number.
    """
    last = None
    for night in _nights(out):
        last = last or night
        if number in (None, night[1].run):
            return night
    if last is None:
        return None
    kept = f"the last one is night {last[1].run}"
    raise NotFoundError(f"no night {number} has ended in {out.root}: {kept}", "name another one")


def _nights(out: OutFolder) -> Iterator[tuple[Path, Results]]:
    for path in sorted(out.logs.glob("batch_train_results_*.json"), reverse=True):
        found = read_results(path)
        if found is not None:
            yield path, found


def unfinished(out: OutFolder, after: int = 0) -> str:
    """Return in words how far the night was, when last seen, that has not ended; nothing where all have.

    `after` is a night of which is known that it has ended, and so have those before it.
    """
    try:
        progress = json.loads(out.progress.read_bytes())
        run = progress["run"]
        training = JobCounts.model_validate(run["training"])
        if run["state"] != RunState.RUNNING or run["id"] <= after:
            return ""
        return f"night {run['id']} unfinished: {training.final} of {training.total} cells are done"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""


def read_results(path: Path) -> Results | None:
    """Return the results that a file holds; None if it cannot be read."""
    try:
        return Results.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def highest_peak(nights: list[Results]) -> int | None:
    """Return the most memory that a job of these nights took, in bytes; None where it was not measured."""
    peaks = [peak for night in nights if (peak := night.totals.peak_memory_bytes) is not None]
    return max(peaks, default=None)


def lowest_peak(nights: list[Results]) -> int | None:
    """Return the least memory that a training of these nights took, in bytes; None: none was measured."""
    trained = [job for night in nights for job in night.jobs if job.state is JobState.SUCCEEDED]
    return min((job.peak_memory_bytes for job in trained if job.peak_memory_bytes), default=None)
