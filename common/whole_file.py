"""Files that appear whole or not at all, whatever is killed and whoever else writes the same."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from common.errors import StorageError

STALE_SECONDS = 3600.0
"""An unfinished file so old belongs to no process that is still writing it."""


@contextlib.contextmanager
def whole_file(
    path: Path, mode: int = 0o666, *, durable: bool = True, named: bool = True
) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only when it is complete and, if `durable`, on disk.

    Parameters
    ----------
    path : Path
        Its folder is made. A file of that name is replaced, and so is a link; who has it open keeps the old
        one.
    mode : int
        Who may read and write it, less what the process's umask takes away.
    named : bool
        Whether its name is on disk too; False: the caller brings the names of several there by `sync`.

    Raises
    ------
    StorageError
        The file could not be written (no room, no permission, ...); names it, and leaves nothing of it.
    """
    unfinished = _unfinished(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # A name that cannot be guessed and is not there yet: nobody can have planted a link in its place.
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            unfinished.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                unfinished.unlink()
            raise
        if durable and named:
            sync(path.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(
            f"{path}: cannot be written: {reason}", "free some space or repair the folder"
        ) from error


def write_whole(path: Path, content: bytes, mode: int = 0o666, *, named: bool = True) -> None:
    """Write a file so that a crash leaves the old one or the new one, whole, and the new one is on the disk.

    Not `named`, a loss of power may take the new one until its folder is synced.

    Raises
    ------
    StorageError
        As of `whole_file`; the old file is as it was.
    """
    with whole_file(path, mode, named=named) as file:
        file.write(content)


def write_soon(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a file so that a killed process leaves the old one or the new one, on the disk at some time.

    A loss of power may leave the old one, an empty one or none: only for what can be made again.

    Raises
    ------
    StorageError
        As of `whole_file`.
    """
    with whole_file(path, mode, durable=False) as file:
        file.write(content)


def point(path: Path, target: str, *, named: bool = True) -> None:
    """Make a symbolic link, or turn one to another target in one step: it shows the old one or the new one.

    Parameters
    ----------
    path : Path
        The link, in a folder that is there; what has its name is replaced.
    target : str
        What it shows, relative to its folder; it need not be there.
    named : bool
        As of `whole_file`.

    Raises
    ------
    OSError
        The folder cannot be written, or its file system has no such links.
    """
    try:
        # A name that nobody has yet needs no other to be turned to it.
        path.symlink_to(target)
    except FileExistsError:
        _turn(path, target)
    if named:
        sync(path.parent)


def _turn(link: Path, target: str) -> None:
    unfinished = _unfinished(link)
    unfinished.symlink_to(target)
    try:
        unfinished.replace(link)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise


def sweep(folder: Path, now: Callable[[], float] = time.time) -> int:
    """Remove what killed processes left unfinished in a folder; return how many files that were."""
    swept = 0
    for path in folder.glob(".*.unfinished"):
        with contextlib.suppress(OSError):
            if now() - path.stat().st_mtime > STALE_SECONDS:
                path.unlink()
                swept += 1
    return swept


def _unfinished(path: Path) -> Path:
    # A name of its own for each writer: two processes may write the same file at once, and the last one wins.
    return path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.unfinished")


def take_name(unfinished: Path, path: Path) -> None:
    """Give a file that is written whole a name that must be nobody's yet, on disk.

    Raises
    ------
    FileExistsError
        Somebody else was quicker; the unfinished file is as it was.
    OSError
        The name cannot be given.
    """
    try:
        os.link(unfinished, path)
    except OSError as error:
        # A file system without links, such as a memory stick's: there somebody may come in between.
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
        unfinished.rename(path)
    else:
        unfinished.unlink()
    sync(path.parent)


def sync(path: Path) -> None:
    """Bring what is in a file, or the names in a folder, to the disk.

    Raises
    ------
    OSError
        It is not there, or the disk refuses it.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
