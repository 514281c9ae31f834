"""Whether a job could write: the disk of the caches, tried and measured before each claim.

Free bytes alone do not say it. A file system may have turned read-only, a quota may be spent, the inodes may
be used up, the folder may belong to somebody else: each of them shows when a small file is written, and only
then. So one is, as a job would do it, but without a name where the file system can do that (`O_TMPFILE`):
nothing of it stays behind, even if the trainer is killed meanwhile. This takes about as long as one sync of
the disk.

The folder of the caches is all that a job writes. Its result goes to the coordinator, nothing is put into a
temporary folder, and a line of the log that finds no room is dropped.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from common.protocol.trainers import DiskState

TRIAL = bytes(4096)
"""What is written on trial: one block, for an empty file needs none."""


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
        free = shutil.disk_usage(folder).free
    except OSError as error:
        problem = problem or error.strerror or str(error)
    # A path may hold bytes that are no UTF-8; a message may not.
    return DiskState(folder=os.fsencode(folder).decode(errors="replace"), free_bytes=free, problem=problem)
