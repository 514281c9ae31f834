"""Which files of the caches are known to be what their digest says, so that not every job reads them whole.

To read 190 MB only to digest them took 0.14 s a job. A file that was found good, or was written by its digest
a moment ago, is not digested again as long as device, inode, size and both times of change are those it had
then: whatever writes to it, replaces it or sets its times changes one of them, the time of the inode's change
in any case, which no program can set. What goes wrong below the file system changes none: each boot of the
host begins anew, and so does each day.

What is known stands beside the file. It is written and read by this module alone; where it is missing, cut or
of another boot, the file is digested.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
AGAIN_SECONDS = 86_400.0
TICK_SECONDS = 0.02
"""Two changes within a tick of the kernel's clock, 10 ms at most, may bear the same time."""

WORTH_WAITING_BYTES = 1 << 23
"""A smaller file is digested twice in less time than its tick takes to pass."""


def settled(descriptor: int) -> os.stat_result | None:
    """Return the status of an open file that is about to be digested.

    It waits until the file was last changed more than a tick ago, so that whatever changes it after this
    call will show. For a small file it does not wait: None then says that nothing can be recorded of it yet,
    and whoever opens it next digests it once more.
    """
    status = os.fstat(descriptor)
    age = time.time() - status.st_ctime_ns / 1e9
    if 0.0 <= age < TICK_SECONDS:
        if status.st_size < WORTH_WAITING_BYTES:
            return None
        time.sleep(TICK_SECONDS - age)
    return status


def is_checked(path: Path, status: os.stat_result, digest: str) -> bool:
    """Tell whether a file was found to have this digest, and has not changed since."""
    try:
        kept = json.loads(note_of(path).read_bytes())
        seconds = time.time() - float(kept["at"])
        return bool(kept["what"] == _what(status, digest) and 0.0 <= seconds < AGAIN_SECONDS)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def keep_checked(path: Path, status: os.stat_result | None, digest: str) -> None:
    """Record that a file has this digest.

    Parameters
    ----------
    path : Path
        The file.
    status : os.stat_result or None
        Of `settled`, from before it was read, or after it was written; with None nothing is recorded.
    digest : str
        What its content was found to be.
    """
    if status is None:
        return
    now = time.time()
    if status.st_ctime_ns / 1e9 > now - TICK_SECONDS:
        # By a clock that is not ours, or was set back: later changes might not show.
        return
    note = json.dumps({"at": now, "what": _what(status, digest)})
    # Without it the next job digests the file, which is no reason to fail.
    with suppress(OSError):
        note_of(path).write_text(note, encoding="ascii")


class Written(NamedTuple):
    """A file as it was when it had been written, and the digest of what was."""

    path: Path
    digest: str
    status: os.stat_result


def keep_written(files: Iterable[Written]) -> None:
    """Record that files have the digests by which they were written, as far as they have not changed since.

    It is best called when there is nothing else to be done: by then their ticks have passed.
    """
    for path, digest, written in files:
        # Read back now they would come from memory, which says nothing of the disk.
        with suppress(OSError), path.open("rb") as file:
            status = settled(file.fileno())
            if status is not None and _what(status, digest) == _what(written, digest):
                keep_checked(path, status, digest)


def forget(path: Path) -> None:
    """Remove what is known of a file that is removed."""
    note_of(path).unlink(missing_ok=True)


def note_of(path: Path) -> Path:
    """Return where it is kept what is known of a file."""
    return path.with_name(f".{path.name}.checked")


def _what(status: os.stat_result, digest: str) -> list[str | int]:
    try:
        boot = BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        # Where nobody says which boot this is, each process is one.
        boot = f"process {os.getpid()}"
    return [
        boot,
        digest,
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    ]
