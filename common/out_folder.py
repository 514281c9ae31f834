"""The folder that a night writes to: the name of each place in it, and who holds it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from common.errors import ConfigurationError, ConflictError, NighttrainError
from common.protocol.address import Address
from common.token_file import Role

DATABASE_NAME = "nighttrain.db"
TOKEN_NAMES = {
    Role.OPERATOR: "token",
    Role.TRAINER: "trainer_token",
    Role.ALERTS: "alerts_token",
    Role.READER: "reader_token",
}


@dataclass(frozen=True)
class OutFolder:
    """The places below ``--out``.

    `instance` is what a coordinator is called that shares the folder with others: what each of them has for
    itself bears that name.
    """

    root: Path
    instance: str = ""

    @property
    def database(self) -> Path:
        """The coordinator's SQLite database, where no other one is configured."""
        return self.root / DATABASE_NAME

    @property
    def token(self) -> Path:
        """The operator's bearer token, mode 0600."""
        return self.tokens[Role.OPERATOR]

    @property
    def tokens(self) -> dict[Role, Path]:
        """The bearer token of each role, mode 0600."""
        return {role: self.root / name for role, name in TOKEN_NAMES.items()}

    @property
    def settings(self) -> Path:
        """The settings of the night as the coordinator reads them."""
        return self.root / "settings.json"

    @property
    def origin(self) -> Path:
        """Which candles the night is of that `nighttrain run` has begun last."""
        return self.root / "origin.json"

    @property
    def address(self) -> Path:
        """Where the coordinator listens, written by it once it is ready."""
        return self.root / f"coordinator{self._mark}.json"

    @property
    def run_lock(self) -> Path:
        """Locked by `nighttrain run`, whose process id is in it."""
        return self.root / ".run.lock"

    @property
    def coordinator_lock(self) -> Path:
        """Locked by a coordinator."""
        return self.root / f".coordinator{self._mark}.lock"

    @property
    def store_mark(self) -> Path:
        """What tells this folder from another one, to coordinators that share a database."""
        return self.root / "artifacts" / ".store"

    @property
    def store_lock(self) -> Path:
        """Locked while the mark is made."""
        return self.root / ".store.lock"

    @property
    def blobs(self) -> Path:
        """Uploaded models by their digest."""
        return self.root / "artifacts" / "blobs"

    @property
    def models(self) -> Path:
        """Promoted models."""
        return self.root / "artifacts" / "direction"

    @property
    def cache(self) -> Path:
        """Candles and features in columns; can be removed at any time."""
        return self.root / "cache"

    @property
    def sample(self) -> Path:
        """Synthetic candles, made when there are no others."""
        return self.root / "sample"

    @property
    def logs(self) -> Path:
        """Logs and results."""
        return self.root / "logs"

    @property
    def coordinator_log(self) -> Path:
        """What the coordinator logs."""
        return self.logs / f"batch_train_night{self._mark}.log"

    def logs_of_others(self) -> list[Path]:
        """Return the logs, rotated ones too, of other coordinators that bear a name."""
        own = self.coordinator_log.name
        found = self.logs.glob("batch_train_night-*.log*")
        return [path for path in found if path.name.partition(".log")[0] != own.removesuffix(".log")]

    @property
    def launcher_log(self) -> Path:
        """What `nighttrain run` logs."""
        return self.logs / "night_training_launcher.log"

    @property
    def progress(self) -> Path:
        """How far the night is, written every half minute."""
        return self.logs / "night_training_checkpoint.json"

    def results(self, decided: datetime) -> Path:
        """Return the results of a run, by the time of its end."""
        return self.logs / f"batch_train_results_{decided:%Y%m%d_%H%M%S}.json"

    def report(self, decided: datetime) -> Path:
        """Return the report of a run, by the time of its end."""
        return self.logs / f"batch_train_report_{decided:%Y%m%d_%H%M%S}.html"

    @property
    def _mark(self) -> str:
        return f"-{self.instance}" if self.instance else ""


@contextmanager
def held(root: Path) -> Iterator[OutFolder]:
    """Make the folder, check that it can be written, and hold it for a run until the block ends.

    Raises
    ------
    ConfigurationError
        The folder cannot be made or written.
    ConflictError
        Another run holds it.
    """
    folder = OutFolder(root)

    def taken() -> NighttrainError:
        holder = folder.run_lock.read_text(errors="replace").strip()
        return ConflictError(
            f"{root}: another run is going there{f' (process {holder})' if holder else ''}",
            "wait for it, stop it, or choose another folder with --out DIR",
        )

    with _locked(folder.run_lock, taken, _sign):
        try:
            for path in (folder.logs, folder.cache):
                path.mkdir(exist_ok=True)
        except OSError as error:
            raise _unusable(root, error) from error
        yield folder


@contextmanager
def held_by_coordinator(root: Path, instance: str = "") -> Iterator[OutFolder]:
    """Make the folder, and hold it for a coordinator until the block ends; its address goes with it.

    Raises
    ------
    ConfigurationError
        The folder cannot be made or written, or another coordinator holds it.
    """
    folder = OutFolder(root, instance)

    def taken() -> NighttrainError:
        name = f" as instance {instance}" if instance else ""
        return ConfigurationError(f"{root} is in use{name} by {_present(folder)}", "stop that one first")

    with _locked(folder.coordinator_lock, taken):
        # Whoever was here before is gone, and so is its address.
        folder.address.unlink(missing_ok=True)
        try:
            yield folder
        finally:
            folder.address.unlink(missing_ok=True)


@contextmanager
def _locked(
    path: Path, taken: Callable[[], NighttrainError], sign: Callable[[int], None] | None = None
) -> Iterator[None]:
    """Lock a file of a folder, which is made; `taken` says by whom if it is, `sign` writes who has it now.

    The lock is the kernel's: it ends with the process, however that ends. Refused are a file system without
    such locks, since a mark in their place would outlive who is killed, and a link where the file should be.
    """
    lock = FileLock(path, mode=0o644, blocking=False, fallback_to_soft=False, on_acquired=sign)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise taken() from None
    except OSError as error:
        raise _unusable(path.parent, error) from error
    try:
        yield
    finally:
        lock.release()


def _unusable(root: Path, error: OSError) -> ConfigurationError:
    if error.errno == errno.ELOOP:
        problem = f"{error.filename or root}: is a link, and what it leads to is not touched"
        return ConfigurationError(problem, "remove it")
    return ConfigurationError(
        f"{error.filename or root}: cannot be written: {error.strerror or error}",
        "choose another folder with --out DIR",
    )


def _sign(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)


def _present(folder: OutFolder) -> str:
    try:
        address = Address.model_validate_json(folder.address.read_bytes())
    except (OSError, ValidationError):
        return "another coordinator that is just starting"
    return f"process {address.pid} at {address.url}"
