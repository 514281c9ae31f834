"""Room in the cache of candles: how much it may take, and which files go first.

Bounded are the columns, the surveys' reports and the objects that were fetched, all of which can be had
again. Whatever was not used for the longest is dropped first. Who reads a file holds a shared lock on it,
which the kernel keeps until the last of its maps is gone, however the process ends: such a file stays.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from common.errors import StorageError
from trainer.candles.checked import forget, note_of

CANDLES, OBJECTS = "candles", "objects"
"""The folders of the cache that are bounded."""

RESERVE_BYTES = 1 << 20
"""What is left free on the disk besides what is to be written."""

Count = Literal["objects_hit", "objects_missed", "fetched_bytes", "dropped_files", "dropped_bytes"]


def _uncounted(what: Count, number: int) -> None:
    del what, number


@dataclass(frozen=True)
class Room:
    """What the cache may take.

    Parameters
    ----------
    most_bytes : int or None
        Its bound; None takes half of what its disk has left and it has already.
    count : callable
        Is told what was found, fetched and dropped.
    """

    most_bytes: int | None = None
    count: Callable[[Count, int], None] = _uncounted

    def make(self, cache_dir: Path, needed: int) -> int:
        """Drop what was not used for the longest, until so many bytes more fit within bound and disk.

        Where all that is left is in use, there is no room; whether the disk takes more shows when it is
        written to.

        Returns
        -------
        int
            The bound in bytes. What is larger than that never fits, and nothing is dropped for it.

        Raises
        ------
        StorageError
            The folder cannot be made, or its disk cannot be asked.
        """
        try:
            cache_dir.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(cache_dir).free
        except OSError as error:
            hint = "free some space or repair the folder"
            raise StorageError(f"{cache_dir}: cannot be written: {error.strerror}", hint) from error
        files = list(_files(cache_dir))
        used = sum(one.size for one in files)
        limit = (free + used) // 2 if self.most_bytes is None else self.most_bytes
        excess = max(used + needed - limit, needed + RESERVE_BYTES - free) if needed <= limit else 0
        for one in sorted(files, key=lambda one: one.last_used_ns):
            if excess <= 0:
                break
            if _dropped(one.path):
                excess -= one.size
                self.count("dropped_files", 1)
                self.count("dropped_bytes", one.size)
        return limit


NO_BOUND = Room()


def hold(descriptor: int) -> bool:
    """Keep an open file from being dropped, as long as it or a map of it is open.

    Returns
    -------
    bool
        Whether it keeps its name; else somebody is just taking that away, and what is open stays readable.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # A file system without locks, where nothing is dropped either.
        return True
    return os.fstat(descriptor).st_nlink > 0


def use(path: Path) -> None:
    """Take note that a file of the cache is used now."""
    # The file's own times stand for its content; a file without a note has no other use for them.
    note = note_of(path)
    with suppress(OSError):
        os.utime(note if note.exists() else path)


@dataclass(frozen=True)
class _File:
    path: Path
    size: int
    last_used_ns: int


def _files(cache_dir: Path) -> Iterator[_File]:
    for kind in (CANDLES, OBJECTS):
        for folder, _, names in os.walk(cache_dir / kind):
            for name in names:
                # Hidden are notes, locks and what is being written.
                if name.startswith(".") or name == "CACHEDIR.TAG":
                    continue
                path = Path(folder, name)
                with suppress(OSError):
                    status = path.stat()
                    last = status.st_mtime_ns
                    with suppress(OSError):
                        last = max(last, note_of(path).stat().st_mtime_ns)
                    yield _File(path, status.st_size, last)


def _dropped(path: Path) -> bool:
    """Remove a file unless somebody reads it; return whether it is gone."""
    try:
        with closing(os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC))) as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
            forget(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
