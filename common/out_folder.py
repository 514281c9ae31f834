"""The folder that a night writes to: made, checked to be writable, and held by one run at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from common.errors import ConfigurationError, ConflictError

LOCK_NAME = ".run.lock"


@dataclass(frozen=True)
class OutFolder:
    """The places below ``--out``."""

    root: Path

    @property
    def logs(self) -> Path:
        """Logs and results."""
        return self.root / "logs"

    @property
    def cache(self) -> Path:
        """Candles and features in columns; can be removed at any time."""
        return self.root / "cache"

    @property
    def sample(self) -> Path:
        """Synthetic candles, made when there are no others."""
        return self.root / "sample"

    @property
    def models(self) -> Path:
        """Promoted models."""
        return self.root / "artifacts" / "direction"

    @property
    def token(self) -> Path:
        """The coordinator's bearer token, mode 0600."""
        return self.root / "token"

    @property
    def address(self) -> Path:
        """Where the coordinator listens, written by it once it is ready."""
        return self.root / "coordinator.json"

    @property
    def settings(self) -> Path:
        """The settings of the night as the coordinator reads them."""
        return self.root / "settings.json"


@contextmanager
def held(root: Path) -> Iterator[OutFolder]:
    """Make the folder, check that it can be written, and hold it until the block ends.

    The lock is the kernel's: it ends with the process, however that ends.

    Raises
    ------
    ConfigurationError
        The folder cannot be made or written.
    ConflictError
        Another run holds it.
    """
    folder = OutFolder(root)
    try:
        for path in (root, folder.logs, folder.cache):
            path.mkdir(parents=True, exist_ok=True)
        lock = os.open(root / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename or root}: cannot be written: {error.strerror}",
            "choose another folder with --out DIR",
        ) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 20, 0).decode(errors="replace").strip()
            raise ConflictError(
                f"{root}: another run is going there{f' (process {holder})' if holder else ''}",
                "wait for it, stop it, or choose another folder with --out DIR",
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        yield folder
    finally:
        os.close(lock)
