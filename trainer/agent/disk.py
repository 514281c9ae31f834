"""Whether a job could write: the disk of the caches, tried and measured before each claim.

Free bytes alone do not say it. A file system may have turned read-only, a quota may be spent, the inodes may
be used up, the folder may belong to somebody else: each of them shows when a small file is written, and only
then. So one is, as a job would do it, but without a name where the file system can do that (`O_TMPFILE`):
nothing of it stays behind, even if the trainer is killed meanwhile. This takes about as long as one sync of
the disk, which is longer than a small job: a trial that went well counts for a moment.

A disk over the network may not answer at all: then the trial never returns. It is made by a thread of its
own, which the claim waits for only so long.

The folder of the caches is all that a job writes. Its result goes to the coordinator, nothing is put into a
temporary folder, and a line of the log that finds no room is dropped.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from common.bounds import MOST_BYTES
from common.protocol.trainers import DiskState

TRIAL = bytes(4096)
"""What is written on trial: one block, for an empty file needs none."""


PATIENCE_SECONDS = 10.0
"""A disk that is only busy has synced one block by then."""

FRESH_SECONDS = 1.0
"""How long a trial that went well counts: small jobs are claimed many times a second."""

NO_ANSWER = "it does not answer"


class DiskTrial:
    """Tries a folder before a claim, and never waits longer than `patience` for its disk.

    Parameters
    ----------
    folder : Path
        Where jobs write.
    patience : float
        Seconds after which a trial that has not returned says that the disk does not answer.
    trial : callable or None
        Tries a folder, and may never return; None takes `disk_state`.
    clock : callable
        Returns seconds that only grow.
    """

    def __init__(
        self,
        folder: Path,
        patience: float = PATIENCE_SECONDS,
        trial: Callable[[Path], DiskState] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._patience, self._trial = folder, patience, trial or disk_state
        self._clock = clock
        self._good: DiskState | None = None
        self._good_until = 0.0
        self._found: list[DiskState] = []
        self._give_up = 0.0
        self._thread: threading.Thread | None = None

    def state(self) -> DiskState:
        """Return what came of a trial; while one hangs no other is begun, so that threads do not pile up."""
        if self._thread is None:
            if self._good is not None and self._clock() < self._good_until:
                return self._good
            self._give_up = time.monotonic() + self._patience
            self._thread = threading.Thread(target=self._try, name="disk-trial", daemon=True)
            self._thread.start()
        self._thread.join(max(self._give_up - time.monotonic(), 0.0))
        if self._thread.is_alive():
            return DiskState(folder=_written(self._folder), free_bytes=None, problem=NO_ANSWER)
        self._thread = None
        found = self._found.pop()
        self._good = None if found.problem else found
        self._good_until = self._clock() + FRESH_SECONDS
        return found

    def _try(self) -> None:
        self._found.append(self._trial(self._folder))


def disk_state(folder: Path) -> DiskState:
    """Try to write to a folder, and return what came of it.

    The folder is made if it is not there, as a job would: caches may be removed at any time.

    Parameters
    ----------
    folder : Path
        Where jobs write.

    Returns
    -------
    DiskState
        With the operating system's own words if nothing could be written. Nothing is raised: a disk that
        cannot even be asked is one that cannot be written.
    """
    problem, free = "", None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(TRIAL)
            file.flush()
            # Some file systems (NFS, quotas) find out only now that there is no room.
            os.fsync(file.fileno())
    except OSError as error:
        problem = error.strerror or str(error)
    try:
        # Object stores that are mounted as a folder say that they have more than any disk.
        free = min(shutil.disk_usage(folder).free, MOST_BYTES)
    except OSError as error:
        problem = problem or error.strerror or str(error)
    return DiskState(folder=_written(folder), free_bytes=free, problem=problem)


def _written(folder: Path) -> str:
    # A path may hold bytes that are no UTF-8; a message may not.
    return os.fsencode(folder).decode(errors="replace")
