"""Objects that were fetched, kept as files in the cache of the host, where all its trainers find them.

A file bears the digest of its content in its name, and is digested again before it is read: one that is cut
or damaged is fetched anew, so that nothing need wait for the disk. One trainer fetches an object while the
others of the host wait for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from common.errors import DataError, StorageError
from common.objects.address import Place
from common.objects.store import Stored
from common.whole_file import whole_file
from trainer.candles.cache import tag
from trainer.candles.room import OBJECTS, Room, hold, use
from trainer.sources.source_file import SourceFile
from trainer.sources.stored import LOOK_SECONDS, Patience, fetch

FETCHED_ELSEWHERE = "fetched by another"
"""The stage of a job that waits until another trainer of the host has fetched an object."""


@contextmanager
def at_hand(
    place: Place, file: SourceFile, cache_dir: Path, room: Room, patience: Patience
) -> Iterator[SourceFile]:
    """Give a file as it can be read; an object is fetched first, unless it is kept already.

    As long as it is given, no trainer of the host drops it.

    Raises
    ------
    ChangedError
        The object is not what it was when it was listed.
    DataError
        It is larger than all that the cache may hold.
    StorageError
        The store is away or refuses, or the cache cannot be written.
    """
    stored = file.stored
    if isinstance(place, Path) or stored is None:
        yield file
        return
    folder = cache_dir / OBJECTS
    key = _key(place, stored)
    try:
        tag(folder)
        with _alone(folder, key, patience) as alone:
            found = _kept(folder, key)
            room.count("objects_hit" if found else "objects_missed", 1)
            if alone and not found:
                _sweep(folder, key)
            path, descriptor = found or _fetch(place, stored, folder, key, cache_dir, room, patience)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written: {error.strerror}", "free some space") from error
    try:
        use(path)
        yield replace(file, path=path)
    finally:
        os.close(descriptor)


def _key(url: str, stored: Stored) -> str:
    identity = [url, stored.name, stored.size, stored.mtime_ns, stored.version]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()


def _sweep(folder: Path, key: str) -> None:
    # Whoever was killed while it fetched this object holds its lock no longer.
    for unfinished in folder.glob(f".*{key}.*unfinished"):
        unfinished.unlink(missing_ok=True)


def _fetch(
    url: str, stored: Stored, folder: Path, key: str, cache_dir: Path, room: Room, patience: Patience
) -> tuple[Path, int]:
    """Fetch an object, and return its file and a descriptor that holds it."""
    limit = room.make(cache_dir, stored.size)
    if stored.size > limit:
        raise DataError(
            f"{url}: {stored.name} has {stored.size / 1024**3:.3g} GiB, more than the cache of this host may "
            f"hold ({limit / 1024**3:.3g} GiB)",
            "raise max_cache (--cache-limit-gb of a trainer), or split it",
        )
    # Hidden from whoever drops files, until it is held.
    hidden = folder / f".{key}.{os.getpid()}.unfinished"
    with whole_file(hidden, durable=False) as file:
        digest = fetch(url, stored, file, patience)
    room.count("fetched_bytes", stored.size)
    descriptor = os.open(hidden, os.O_RDONLY | os.O_CLOEXEC)
    hold(descriptor)
    path = folder / f"{key}-{digest}"
    hidden.rename(path)
    return path, descriptor


def _kept(folder: Path, key: str) -> tuple[Path, int] | None:
    """Return a whole file and a descriptor that holds it; what is damaged is removed."""
    for path in folder.glob(f"{key}-*"):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        if hold(descriptor):
            if path.name == f"{key}-{_digest(descriptor)}":
                return path, descriptor
            path.unlink(missing_ok=True)
        os.close(descriptor)
    return None


def _digest(descriptor: int) -> str:
    try:
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        # A part that the disk cannot read is damage like any other.
        return ""


@contextmanager
def _alone(folder: Path, key: str, patience: Patience) -> Iterator[bool]:
    """Wait until no other process fetches this object, and keep others from it meanwhile.

    What it gives is False on a file system without locks, where each fetches for itself.
    """
    # A byte of one file stands for each object, so that no locks are left behind; the kernel's ends with its
    # process.
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    alone = True
    try:
        while True:
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, int(key[:15], 16))
                break
            except (BlockingIOError, PermissionError):
                patience.progress(FETCHED_ELSEWHERE, 0, 0)
                time.sleep(LOOK_SECONDS)
            except OSError:
                alone = False
                break
        yield alone
    finally:
        os.close(descriptor)
