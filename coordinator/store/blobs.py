"""Models as bytes, kept by their digest under `artifacts/blobs`; they are never unpickled here.

The bytes of a model that the coordinator has made from its manifest are durable with the manifest, in the
database. Their file need not be there before its trainer is answered: where an accident takes it, or leaves
half of it, it is made again. While many are brought at once their files are written a few a second, so that
trainers wait for no file system; the others follow when it is quieter.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common.errors import DigestMismatchError, StorageError
from common.whole_file import write_soon, write_whole

logger = logging.getLogger(__name__)

MOST_HELD = 4096
"""So many models are held in memory until they are written; those beyond are then made again."""
QUIET_SECONDS = 0.5
"""After so long without another model all that are still to be written are written at once."""
PAUSE_SECONDS = 0.05
"""Between two files until then: so many models a second as a night of real candles brings are not held up."""

Source = Callable[[str], bytes]
"""Makes the bytes of a digest again; empty where that is impossible."""


def _left_out(sha256: str, why: object) -> None:
    logger.warning("the model %s is made when it is asked for: %s", sha256, why)


def _nothing(_: str) -> bytes:
    return b""


class Artifacts:
    """A folder of blobs, each named by the SHA-256 of its content.

    Parameters
    ----------
    directory : Path
        The folder; it is made if it is not there.
    source : callable
        Gives a blob that is missing or damaged; what it gives is compared with the digest.
    """

    def __init__(self, directory: Path, source: Source = _nothing) -> None:
        self.directory = directory
        self._source = source
        self._writer = ThreadPoolExecutor(1, "models")
        self._changed = threading.Condition()
        # To be written, the oldest first; None for what is not held.
        self._coming: dict[str, bytes | None] = {}
        self._is_writing = False
        self._awaited = 0
        self._brought = 0.0

    def store(self, content: bytes, sha256: str) -> None:
        """Keep `content`, durably, under its digest; once it returns a loss of power cannot lose it.

        Raises
        ------
        DigestMismatchError
            The content has another digest than the one announced.
        StorageError
            The file could not be written.
        """
        actual = hashlib.sha256(content).hexdigest()
        if actual != sha256:
            problem = f"the artifact of {len(content)} bytes has SHA-256 {actual}, but {sha256} was announced"
            raise DigestMismatchError(problem, "send it again")
        path = self._path(sha256)
        if not self.is_intact(path, sha256):
            write_whole(path, content)

    def keep(self, content: bytes, sha256: str) -> None:
        """Keep what `source` gives again where it is lost, behind the back of whoever brings it.

        It can be read here at once. What cannot be written is logged.
        """
        self._path(sha256)
        with self._changed:
            self._brought = time.monotonic()
            if sha256 in self._coming:
                return
            self._coming[sha256] = content if len(self._coming) < MOST_HELD else None
            if self._is_writing:
                return
            self._is_writing = True
        try:
            self._writer.submit(self._write_coming)
        except RuntimeError as error:
            # There is no thread to be had, or the process ends.
            with self._changed:
                left, self._coming, self._is_writing = list(self._coming), {}, False
                self._changed.notify_all()
            for each in left:
                _left_out(each, error)

    def settle(self) -> None:
        """Wait until all that was to be kept is written; nothing is put off meanwhile."""
        with self._changed:
            self._awaited += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._is_writing)
            self._awaited -= 1

    def _write_coming(self) -> None:
        """Write what is to be kept until there is no more."""
        while True:
            with self._changed:
                if not self._coming:
                    self._is_writing = False
                    self._changed.notify_all()
                    return
                sha256, content = next(iter(self._coming.items()))
            try:
                self._write(sha256, content)
            except Exception as error:
                # Whatever it is: those behind it are still to be written.
                _left_out(sha256, error)
            with self._changed:
                del self._coming[sha256]
                quiet = time.monotonic() - self._brought >= QUIET_SECONDS
                if self._coming and not quiet:
                    self._changed.wait_for(lambda: self._awaited > 0, PAUSE_SECONDS)

    def _write(self, sha256: str, content: bytes | None) -> None:
        path = self._path(sha256)
        if self.is_intact(path, sha256):
            return
        made = self._source(sha256) if content is None else content
        if content is None and hashlib.sha256(made).hexdigest() != sha256:
            raise StorageError("its manifest makes other bytes now")
        write_soon(path, made)

    def read(self, sha256: str) -> bytes:
        """Return the content of a blob, made again where the file has it no longer.

        Raises
        ------
        StorageError
            It is missing, cannot be read, or is not what its name says.
        """
        if held := self._coming.get(sha256):
            return held
        path = self._path(sha256)
        try:
            content = path.read_bytes()
        except OSError as error:
            if isinstance(error, FileNotFoundError) and (made := self._made(sha256)):
                return made
            raise StorageError(f"{path} cannot be read: {error.strerror or error}") from error
        if hashlib.sha256(content).hexdigest() != sha256:
            if made := self._made(sha256):
                return made
            raise StorageError(f"{path} is damaged: its content has another SHA-256 than its name")
        return content

    def holds(self, sha256: str) -> bool:
        """Return whether a blob is there and undamaged, or made again.

        Raises
        ------
        StorageError
            The folder cannot be read, which says nothing about the blob.
        """
        if self._coming.get(sha256):
            return True
        path = self._path(sha256)
        try:
            if not self.directory.is_dir():
                raise StorageError(f"{self.directory} is not there", "bring the folder back")
            whole = hashlib.sha256(path.read_bytes()).hexdigest() == sha256
            return whole or bool(self._made(sha256))
        except FileNotFoundError:
            return bool(self._made(sha256))
        except OSError as error:
            raise StorageError(f"{path} cannot be read: {error.strerror or error}") from error

    def _made(self, sha256: str) -> bytes:
        # A folder that is away, perhaps not mounted, shall come back and not be made anew.
        content = self._source(sha256) if self.directory.is_dir() else b""
        if hashlib.sha256(content).hexdigest() != sha256:
            return b""
        logger.warning("the model %s is made again from its manifest, or brought back", sha256)
        write_whole(self._path(sha256), content)
        return content

    @staticmethod
    def is_intact(path: Path, sha256: str) -> bool:
        """Return whether a file is there and has this digest."""
        try:
            return hashlib.sha256(path.read_bytes()).hexdigest() == sha256
        except OSError:
            return False

    def _path(self, sha256: str) -> Path:
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise DigestMismatchError(
                f"{sha256!r} is no SHA-256", "write it as 64 lower-case hexadecimal digits"
            )
        return self.directory / sha256
