"""What the out folder keeps is brought to an object store too, where one is configured.

The folder itself is the line of what is to be sent: what it holds and the store lacks. So nothing has to be
remembered of a process that is killed, and what was removed from the store comes back. An object is written
by one request, whole or not at all; models are named by their content, and a night's files by its end, so
that it does not matter who writes one, how often and in which order.

    blobs/<sha256>                                every model, as it was handed in
    logs/batch_train_results_20261126_031500.json the results of a night, and its report beside it
    direction/BTCUSDT_1h_H1_logreg_optimized.json the manifest of a champion; `pickle_sha256` names its blob

A champion's manifest is the one thing that is replaced: one object, so that who reads it has the old champion
or the new one. It is written by whom the database has told last, each time that champions change.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from common.errors import NighttrainError, StorageError
from common.objects.store import Objects
from common.out_folder import OutFolder
from coordinator.policy.uploading import Standing, pause_seconds, standing_words
from coordinator.store.blobs import Artifacts

logger = logging.getLogger(__name__)

TURN_SECONDS = 5.0
"""How often the out folder is looked through."""

LAST_SECONDS = 10.0
"""For how long a coordinator that stops still sends what it has written last."""

BLOBS, LOGS, CHAMPIONS = "blobs", "logs", "direction"

_Stamp = tuple[int, int] | None


class Uploads:
    """Sends what is new in the out folder, in a thread of its own: a store may be slow, or away.

    Parameters
    ----------
    objects : Objects
        Where to.
    out : OutFolder
        Where from.
    artifacts : Artifacts
        Its models, which are made again where a loss of power took them.
    clock : callable
        Returns the time, aware.
    """

    def __init__(
        self, objects: Objects, out: OutFolder, artifacts: Artifacts, clock: Callable[[], datetime]
    ) -> None:
        self.objects = objects
        self.out = out
        self.artifacts = artifacts
        self.clock = clock
        self._kept: dict[str, _Stamp] | None = None
        self._waiting: dict[str, datetime] = {}
        self._shown: dict[str, bytes | None] = {}
        self._are_current: Callable[[], bool] = bool
        self._problem = ""
        self._failures = 0
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="uploads", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send what was written last, if the store answers, and end; the rest is sent at the next start."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(LAST_SECONDS)
        standing = self.standing()
        if standing.waiting:
            logger.warning("%s; the next start sends them", standing_words(standing, self.objects.url))

    def show(self, champions: Mapping[str, bytes | None], are_current: Callable[[], bool]) -> None:
        """Have the store show these champions.

        Parameters
        ----------
        champions : mapping
            Manifests by the name of their file, None for a cell that has no champion any longer.
        are_current : callable
            Returns whether they still are what the database says: while the store was away another
            coordinator may have taken over.
        """
        with self._lock:
            self._shown = {f"{CHAMPIONS}/{name}": manifest for name, manifest in champions.items()}
            self._are_current = are_current

    def standing(self) -> Standing:
        """Return how much waits to be sent, since when, and why."""
        with self._lock:
            since = min(self._waiting.values(), default=None)
            return Standing(len(self._waiting), since, self._problem)

    def troubles(self) -> tuple[str, ...]:
        """Return in words what is in the way; nothing while what waits is on its way."""
        standing = self.standing()
        return (standing_words(standing, self.objects.url),) if standing.problem else ()

    def send(self) -> bool:
        """Send all that waits, up to the first refusal; return whether nothing waits any longer."""
        try:
            self._look()
            damaged = ""
            for name in list(self._waiting):
                damaged = self._send(name) or damaged
        except (NighttrainError, OSError) as error:
            self._complain(str(error))
            return False
        except Exception as error:
            logger.exception("sending to %s", self.objects.url)
            self._complain(f"{type(error).__name__} (a defect of Nighttrain; the log has more)")
            return False
        if damaged:
            self._complain(damaged)
            return False
        if self._problem:
            logger.info("%s: all is sent", self.objects.url)
        with self._lock:
            self._problem, self._failures = "", 0
        return True

    def _run(self) -> None:
        while not self._end.is_set():
            self._end.wait(TURN_SECONDS if self.send() else pause_seconds(self._failures))
        # What the last duties have written.
        self.send()

    def _look(self) -> None:
        """Put in line what the folder holds and the store does not."""
        files = dict(self._files())
        if self._kept is None:
            self._put_in_line(files)
            there = {**self.objects.sizes(BLOBS), **self.objects.sizes(LOGS)}
            self._kept = {
                name: stamp
                for name, stamp in files.items()
                if name in there and (stamp is None or stamp[0] == there[name])
            }
        missing = object()
        self._put_in_line(name for name, stamp in files.items() if self._kept.get(name, missing) != stamp)

    def _put_in_line(self, names: Iterable[str]) -> None:
        now = self.clock()
        with self._lock:
            wanted = dict.fromkeys([*names, *self._shown])
            self._waiting = {name: self._waiting.get(name, now) for name in wanted}

    def _files(self) -> Iterator[tuple[str, _Stamp]]:
        """Yield what is to be in the store by name, and what tells that it was written again."""
        for name in _names(self.out.blobs):
            if len(name) == 64:
                # Its name says what it holds.
                yield f"{BLOBS}/{name}", None
        for name in _names(self.out.logs):
            if name.startswith(("batch_train_results_", "batch_train_report_")):
                yield f"{LOGS}/{name}", _stamp(self.out.logs / name)

    def _send(self, name: str) -> str:
        """Send one object, and return what is wrong with the one here, which is then not sent."""
        folder, _, file = name.partition("/")
        if folder == CHAMPIONS:
            self._send_champion(name)
            return ""
        try:
            if folder == BLOBS:
                stamp, content = None, self.artifacts.read(file)
            else:
                path = self.out.logs / file
                stamp, content = _stamp(path), path.read_bytes()
        except StorageError as error:
            # It must not keep those after it from being sent.
            return str(error)
        except OSError as error:
            return f"{file} cannot be read: {error.strerror or error}"
        self.objects.put(name, content)
        assert self._kept is not None
        self._kept[name] = stamp
        with self._lock:
            self._waiting.pop(name, None)
        return ""

    def _send_champion(self, name: str) -> None:
        with self._lock:
            if name not in self._shown:
                return
            manifest, are_current = self._shown[name], self._are_current
        if not are_current():
            with self._lock:
                if self._are_current is are_current:
                    self._shown.clear()
            return
        if manifest is None:
            self.objects.delete(name)
        else:
            self.objects.put(name, manifest)
        with self._lock:
            # Another one may have become champion meanwhile.
            if self._are_current is are_current:
                self._shown.pop(name, None)
                self._waiting.pop(name, None)

    def _complain(self, problem: str) -> None:
        with self._lock:
            changed = self._problem != problem
            self._problem = problem
            self._failures += 1
        if changed:
            logger.error("%s", standing_words(self.standing(), self.objects.url))


def fetch_blob(objects: Objects, sha256: str) -> bytes:
    """Return a model from a store by its digest, empty where it is not there.

    Raises
    ------
    StorageError
        The store is away, or what it has is damaged.
    """
    content = objects.get(f"{BLOBS}/{sha256}") or b""
    if content and hashlib.sha256(content).hexdigest() != sha256:
        raise StorageError(
            f"{objects.url}/{BLOBS}/{sha256} is damaged: its content has another SHA-256 than its name",
            "remove it",
        )
    return content


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return []


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
