"""Candles in an object store: what lies below its address, and each object as a file once it is fetched.

What is listed is read as a folder with the same names would be. An object is asked for as it was listed, so
that one that has become another since is noticed, and never read half as the one and half as the other.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from common.objects.store import ChangedError, Stored, StoreError
from trainer.sources.source_file import NOT_SOURCES, SourceFile, is_passed_over, printable

if TYPE_CHECKING:
    from common.objects.remote import RemoteObjects

LOG = logging.getLogger(__name__)

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.25, 4.0
LOOK_SECONDS = 0.1

AWAY = "candles away"
"""The stage of a job that waits for the store."""

_ANSWER = TypeVar("_ANSWER")


def _nothing(stage: str, done: int, total: int) -> None:
    del stage, done, total


@dataclass(frozen=True)
class Patience:
    """How long a store may be away until it is given up, in seconds, and who is told meanwhile.

    `progress` is called as ``progress(stage, done, total)`` several times a second, and may raise to stop.
    """

    seconds: float = 0.0
    progress: Callable[[str, int, int], None] = _nothing


NONE = Patience()


class _Waits:
    """Waits that grow, until all of them since the last success are as long as the patience."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self.begin_anew()

    def begin_anew(self) -> None:
        self._next, self._waited = FIRST_WAIT_SECONDS, 0.0

    def wait(self, error: StoreError) -> None:
        """Wait a while before the next attempt.

        Raises
        ------
        StoreError
            That error: it does not pass, or did not in time.
        """
        if not error.passing or isinstance(error, ChangedError) or self._waited >= self._patience.seconds:
            raise error
        LOG.warning("%s; trying again in %.2g s", error, self._next)
        until = time.monotonic() + self._next
        while (left := until - time.monotonic()) > 0:
            self._patience.progress(AWAY, int(self._waited), int(self._patience.seconds))
            time.sleep(min(left, LOOK_SECONDS))
        self._waited += self._next
        self._next = min(2 * self._next, LONGEST_WAIT_SECONDS)


def objects_below(url: str, patience: Patience = NONE) -> list[SourceFile]:
    """Return what may hold candles below an address, in no order.

    Passed over are the names that `folder` passes over in a folder.

    Raises
    ------
    ConfigurationError
        The client of object stores is not installed, or what the environment says cannot be used.
    StoreError
        The store refuses, or was away for longer than the patience.
    """
    store = _store(url)
    listed = _answer(store.listed, patience)
    apart = {_folder(one.name) for one in listed if one.name.rpartition("/")[2] in NOT_SOURCES} - {""}
    return [
        SourceFile(None, printable(one.name), one.size, one.mtime_ns, one)
        for one in listed
        if not _is_hidden(one) and not any(one.name.startswith(folder) for folder in apart)
    ]


def fetch(url: str, stored: Stored, file: BinaryIO, patience: Patience) -> str:
    """Write an object to a file, and return its SHA-256 in hex.

    A connection that breaks is made again from the byte at which it broke.

    Raises
    ------
    ChangedError
        The object is not what it was when it was listed.
    StoreError
        The store refuses, or was away for longer than the patience.
    """
    store = _store(url)
    digest, done, waits = hashlib.sha256(), 0, _Waits(patience)
    while done < stored.size:
        try:
            for piece in store.read(stored, done):
                file.write(piece)
                digest.update(piece)
                done += len(piece)
                waits.begin_anew()
                patience.progress("fetch", done, stored.size)
            if done < stored.size:
                raise StoreError(f"{url}: the connection broke", passing=True)
        except StoreError as error:
            waits.wait(error)
    if done > stored.size:
        raise ChangedError(url, stored.name)
    return digest.hexdigest()


def _store(url: str) -> RemoteObjects:
    return _opened(url, frozenset(os.environ.items()))


@lru_cache(maxsize=2)
def _opened(url: str, environment: frozenset[tuple[str, str]]) -> RemoteObjects:
    """Return the store, whose connections serve all of a job's objects."""
    # Imported here and not above: whoever has a folder is not to pay for it.
    from common.objects.remote import RemoteObjects

    del environment
    return RemoteObjects(url)


def _answer(ask: Callable[[], _ANSWER], patience: Patience) -> _ANSWER:
    waits = _Waits(patience)
    while True:
        try:
            return ask()
        except StoreError as error:
            waits.wait(error)


def _folder(name: str) -> str:
    folder, slash, _ = name.rpartition("/")
    return folder + slash


def _is_hidden(stored: Stored) -> bool:
    *folders, own = stored.name.split("/")
    # What is empty and has no ending stands for a folder that somebody made by hand; its slash is not listed.
    marker = not stored.size and "." not in own
    return marker or is_passed_over(own) or any(folder.startswith(".") for folder in folders)
