"""Models as bytes, kept by their digest under `artifacts/blobs`; they are never unpickled here.

The bytes of a model that the coordinator has made from its manifest are durable with the manifest, in the
database. Their file need not be there before its trainer is answered: where an accident takes it, or leaves
half of it, it is made again.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from common.errors import DigestMismatchError, StorageError
from common.whole_file import write_soon, write_whole

logger = logging.getLogger(__name__)

MOST_COMING = 256
"""So many models may wait to be written, as where a folder hangs; others are made when they are asked for."""

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
        self._coming: dict[str, Future[None]] = {}

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

        What is read here meanwhile waits for it. What cannot be written is logged.
        """
        path = self._path(sha256)
        coming: Future[None] = Future()

        def write() -> None:
            try:
                if not self.is_intact(path, sha256):
                    write_soon(path, content)
            except StorageError as error:
                _left_out(sha256, error)
            finally:
                self._coming.pop(sha256, None)
                coming.set_result(None)

        if sha256 in self._coming:
            return
        if len(self._coming) >= MOST_COMING:
            _left_out(sha256, f"{MOST_COMING} others wait to be written")
            return
        # It is in before the thread can take it out again.
        self._coming[sha256] = coming
        try:
            self._writer.submit(write)
        except RuntimeError as error:
            # There is no thread to be had, or the process ends.
            del self._coming[sha256]
            coming.set_result(None)
            _left_out(sha256, error)

    def settle(self) -> None:
        """Wait until all that was to be kept is written."""
        wait(list(self._coming.values()))

    def read(self, sha256: str) -> bytes:
        """Return the content of a blob, made again where the file has it no longer.

        Raises
        ------
        StorageError
            It is missing, cannot be read, or is not what its name says.
        """
        path = self._settled(sha256)
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
        path = self._settled(sha256)
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

    def _settled(self, sha256: str) -> Path:
        coming = self._coming.get(sha256)
        if coming is not None:
            wait([coming])
        return self._path(sha256)

    def _path(self, sha256: str) -> Path:
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise DigestMismatchError(
                f"{sha256!r} is no SHA-256", "write it as 64 lower-case hexadecimal digits"
            )
        return self.directory / sha256
