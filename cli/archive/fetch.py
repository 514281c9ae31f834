"""One file of the archive: resumed, verified by its checksum, and there under its name only when whole."""

from __future__ import annotations

import hashlib
import os
import random
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import httpx

from common.errors import StorageError

TRIES = 5
"""How often one file is tried before it is given up, its checksum included."""
MAX_CHECKSUM_BYTES = 4096
_SHA256 = re.compile(r"\b[0-9a-fA-F]{64}\b")

Progress = Callable[[int], None]
"""Called with bytes that have arrived."""


class Ending(StrEnum):
    """What became of a file."""

    LOADED = "loaded"
    MISSING = "missing"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Fetched:
    """What became of a file, why it failed, and the bad copies of it that were set aside."""

    ending: Ending
    why: str = ""
    size: int = 0
    set_aside: tuple[Path, ...] = ()


class _AgainError(Exception):
    """It did not work this time, and may the next."""

    def __init__(self, why: str, after: float = 0.0) -> None:
        super().__init__(why)
        self.after = after


class _AbsentError(Exception):
    """The archive does not have it."""


class _StoppedError(Exception):
    """Somebody wants to stop."""


class Fetcher:
    """Fetches files over one set of connections; its methods may be called from several threads.

    Parameters
    ----------
    client : httpx.Client
        With the time-outs.
    address : str
        Where the archive's folders are.
    stop : threading.Event
        Set to end all fetching; what has arrived is kept for the next time.
    pause_seconds : float
        The wait before the second try; it doubles with each.
    """

    def __init__(
        self, client: httpx.Client, address: str, stop: threading.Event, pause_seconds: float = 1.0
    ) -> None:
        self._client = client
        self._address = address.rstrip("/")
        self._stop = stop
        self._pause = pause_seconds

    def stop(self) -> None:
        """End all fetching."""
        self._stop.set()

    def fetch(self, relative: str, path: Path, progress: Progress) -> Fetched:
        """Fetch one file.

        Raises
        ------
        StorageError
            It cannot be written.
        """
        url = f"{self._address}/{relative}"
        part = path.with_name(path.name + ".part")
        set_aside: list[Path] = []
        why = ""
        try:
            for number in range(TRIES):
                try:
                    digest = self._checksum(url)
                    self._load(url, part, progress)
                    if _sha256(part) == digest:
                        size = part.stat().st_size
                        _keep(part, path)
                        return Fetched(Ending.LOADED, "", size, tuple(set_aside))
                    # It is kept to be looked at; its name begins with a dot, so that no night reads it.
                    bad = path.with_name(f".{path.name}.wrong-checksum")
                    part.replace(bad)
                    set_aside = [bad]
                    why = "its content is not that of its checksum"
                    self._wait(number, 0.0)
                except _AgainError as error:
                    why = str(error)
                    self._wait(number, error.after)
        except _AbsentError:
            return Fetched(Ending.MISSING, "", 0, tuple(set_aside))
        except _StoppedError:
            return Fetched(Ending.STOPPED, "", 0, tuple(set_aside))
        except OSError as error:
            raise StorageError(
                f"{path}: cannot be written: {error.strerror or error}",
                "free some space or repair the folder",
            ) from error
        return Fetched(Ending.FAILED, f"{why}, {TRIES} times", 0, tuple(set_aside))

    def _checksum(self, url: str) -> str:
        answer = self._asked("GET", f"{url}.CHECKSUM")
        if answer.status_code == 404:
            if self._asked("HEAD", url).status_code == 404:
                raise _AbsentError
            raise _AgainError("it has no checksum beside it, so that it cannot be verified")
        found = _SHA256.search(answer.text[:MAX_CHECKSUM_BYTES])
        if found is None:
            raise _AgainError("the file beside it is no checksum")
        return found[0].lower()

    def _asked(self, method: str, url: str) -> httpx.Response:
        self._check()
        try:
            answer = self._client.request(method, url)
        except httpx.HTTPError as error:
            raise _AgainError(_words(error)) from error
        if answer.status_code != 404:
            _judge(answer)
        return answer

    def _load(self, url: str, part: Path, progress: Progress) -> None:
        part.parent.mkdir(parents=True, exist_ok=True)
        there = part.stat().st_size if part.exists() else 0
        headers = {"Accept-Encoding": "identity"}
        if there:
            headers["Range"] = f"bytes={there}-"
        self._check()
        try:
            with self._client.stream("GET", url, headers=headers) as answer:
                if answer.status_code == 404:
                    raise _AbsentError
                if answer.status_code == 416 and there:
                    # There is nothing behind what is here: it is whole, or of another file.
                    return
                _judge(answer)
                resumed = answer.status_code == 206 and _begins_at(answer, there)
                if answer.status_code == 206 and not resumed:
                    part.unlink(missing_ok=True)
                    raise _AgainError("it answers with another part than was asked for")
                with part.open("ab" if resumed else "wb") as file:
                    # As it comes: what is gathered into chunks is lost when the connection is.
                    for chunk in answer.iter_raw():
                        file.write(chunk)
                        progress(len(chunk))
                        self._check()
        except httpx.HTTPError as error:
            raise _AgainError(_words(error)) from error

    def _wait(self, number: int, after: float) -> None:
        if number + 1 == TRIES:
            return
        seconds = max(after, self._pause * 2**number * random.uniform(0.5, 1.0))
        if self._stop.wait(seconds):
            raise _StoppedError

    def _check(self) -> None:
        if self._stop.is_set():
            raise _StoppedError


def _judge(answer: httpx.Response) -> None:
    if answer.status_code in (200, 206):
        return
    try:
        after = min(float(answer.headers.get("Retry-After", 0)), 60.0)
    except ValueError:
        after = 0.0
    raise _AgainError(f"the archive answers {answer.status_code}", after)


def _begins_at(answer: httpx.Response, place: int) -> bool:
    told: str = answer.headers.get("Content-Range", "")
    return told.startswith(f"bytes {place}-")


def _words(error: httpx.HTTPError) -> str:
    said = " ".join(str(error).split())
    return f"{type(error).__name__}{f': {said}' if said else ''}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _keep(part: Path, path: Path) -> None:
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
