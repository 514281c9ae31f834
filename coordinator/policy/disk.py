"""Whether a trainer's disk takes a job, by what the trainer found out just before it asked.

1. A trainer whose disk cannot be written, or has nearly no room left, gets no job.
2. A prediction refuses. The one large file of a training job is its feature matrix, and the survey tells how
   many rows that has, so a job gets no disk that is too small for it. The matrix is shared by all jobs of its
   symbol and timeframe: once one of them has begun, in this run or the one before, no more room is asked for.
3. An attempt that could not be written all the same makes its trainer pause: the room for a survey cannot be
   predicted, other programs write too, and a quota shows in no figure. The pause is short at first, and then
   always as long again as the trouble has lasted, up to a minute. So does one whose candles lie in a store
   that was away or refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from common.objects.address import SCHEMES

RESERVE_BYTES = 1024**2
"""What must be free besides the matrix: a job also writes a small certificate and some lines of the log."""

MATRIX_BYTES_A_ROW = 200
"""Size of a feature matrix by its rows: at most 46 columns of 4 bytes, the bar and its time of 8 each."""

PAUSE_SECONDS = 2.0
MAX_PAUSE_SECONDS = 60.0


@dataclass(frozen=True)
class Disk:
    """The disk where a trainer's jobs write, as it was found at its last claim.

    `free_bytes` is None where nobody knows. `problem` says why nothing can be written, and is empty if it
    can. `paused_until` is set after an attempt that could not be written, and `paused_by` is its message.
    """

    folder: str = ""
    free_bytes: int | None = None
    problem: str = ""
    paused_until: datetime | None = None
    paused_by: str = ""

    def obstacle(self, now: datetime) -> str:
        """Return in words what keeps every job from this disk, or nothing."""
        if self.problem:
            return f"{self.folder} cannot be written: {self.problem}; free some room or fix the folder"
        if self.free_bytes is not None and self.free_bytes < RESERVE_BYTES:
            return f"{self.folder} has only {mebibytes(self.free_bytes)} left: free some room"
        return self.paused_by if self.paused_until is not None and now < self.paused_until else ""

    def lack(self, disk_bytes: int) -> str:
        """Return in words that there is too little room for a job that writes so many bytes, or nothing."""
        needed = disk_bytes + RESERVE_BYTES
        if not disk_bytes or self.free_bytes is None or self.free_bytes >= needed:
            return ""
        return f"{mebibytes(needed)} are needed in {self.folder}, which has {mebibytes(self.free_bytes)} left"


ANY_DISK = Disk()
"""The disk of a trainer that reports nothing about it: it counts as one that can be written."""


def matrix_bytes(rows: int) -> int:
    """Return how large the feature matrix of so many bars will be, at most."""
    return rows * MATRIX_BYTES_A_ROW


def pause_seconds(blocked_seconds: float) -> float:
    """Return how long a trainer pauses that has been unable to write for so many seconds."""
    return min(MAX_PAUSE_SECONDS, max(PAUSE_SECONDS, blocked_seconds))


def is_of_store(why: str) -> bool:
    """Return whether an attempt was kept from its candles by the store that they lie in, by its message."""
    # Messages about a store begin with its address, those about a disk with a path.
    scheme, separator, _ = why.partition("://")
    return bool(separator) and scheme in SCHEMES


def mebibytes(count: int) -> str:
    """Return a number of bytes in words, in units of 2**20."""
    return f"{count / 1024**2:.1f} MiB"
