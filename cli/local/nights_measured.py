"""What earlier nights took, by their results below the out folder."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from common.out_folder import OutFolder
from common.protocol.jobs import JobState
from common.protocol.results import Results

RECENT_NIGHTS = 5


def measured_nights(out: OutFolder) -> list[Results]:
    """Return the results of the last nights, the newest first; those that cannot be read are passed over."""
    nights: list[Results] = []
    for path in sorted(out.logs.glob("batch_train_results_*.json"), reverse=True):
        found = read_results(path)
        if found is not None:
            nights.append(found)
        if len(nights) == RECENT_NIGHTS:
            break
    return nights


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
