"""What the coordinator does by itself: nights begin, leases expire, a finished run is decided and reported.

It also leaves signs of life, and ends the alerts that nobody tells of any more.

The end of a run takes three steps, each of which can be repeated after a crash without another result: the
decisions are committed; the files of promoted models and the results are written; the run is done.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.exc import OperationalError

from common.errors import NighttrainError
from common.out_folder import OutFolder
from common.settings.night import NightSettings
from common.whole_file import sweep
from coordinator.alerts import Alerts
from coordinator.champions.files import publish
from coordinator.champions.registry import champions, decide_run
from coordinator.housekeeping.files import write_progress, write_results
from coordinator.housekeeping.heartbeat import Life
from coordinator.queue.queue import Queue
from coordinator.runs.runs import end_run, find_run, unreported_run, unsettled_run
from coordinator.runs.schedule import begin_if_due
from coordinator.store.blobs import Artifacts
from coordinator.store.database import Database
from coordinator.store.rows import RunRow
from coordinator.views.forecast import Forecast

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.5
PROGRESS_SECONDS = 30.0
RETRY_SECONDS = 5.0
"""How long a step that failed is left alone: what it lacks, such as disk, seldom comes back at once."""
STALL_SECONDS = 5.0
"""A gap between two steps that is shorter than this is a slow step, not a machine that slept."""


class Housekeeping:
    """The coordinator's own work, done by one thread between `start` and `stop`, or step by step with `tick`.

    Parameters
    ----------
    database : Database
        Where everything is kept.
    queue : Queue
        Whose leases expire.
    settings : NightSettings
        The length of a lease, and the grid and the window of nights by the schedule.
    out : Path
        The out folder; `artifacts` and `logs` are below it.
    forecast : Forecast
        Estimates the end of the run, for the file of its progress.
    """

    def __init__(
        self, database: Database, queue: Queue, settings: NightSettings, out: Path, forecast: Forecast
    ) -> None:
        self.database = database
        self.queue = queue
        self.settings = settings
        self.out = OutFolder(out)
        self.artifacts = Artifacts(self.out.blobs)
        self.alerts = Alerts(database)
        self.life = Life(database)
        self.forecast = forecast
        self._troubles: dict[str, str] = {}
        self._failed: dict[str, datetime] = {}
        self._ticked: datetime | None = None
        self._listening = database.clock()
        self._written: datetime | None = None
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Restore what a crash may have left half done, let the leases live on, and begin."""
        for folder in (self.out.blobs, self.out.models, self.out.logs):
            sweep(folder)
        self._attempt("signs of life", self.life.sign)
        self._attempt("promoted models", self._publish)
        self.queue.extend()
        self._ticked = self._listening = self.database.clock()
        self._thread.start()

    def stop(self) -> None:
        """End after the present step, and write the progress a last time."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._attempt("progress", self._progress)
        self._attempt("signs of life", self.life.end)

    def wake(self) -> None:
        """Say that something has changed, so that the next step begins now."""
        self._wake.set()

    def troubles(self) -> tuple[str, ...]:
        """Return in words what could not be done at the last try."""
        return tuple(self._troubles.values())

    def tick(self) -> None:
        """Do all that is due."""
        now = self.database.clock()
        gap = (now - self._ticked).total_seconds() if self._ticked is not None else 0.0
        self._ticked = now
        # When the whole machine slept no trainer could have renewed, so none is to blame.
        asleep = gap > max(self.settings.lease.seconds / 2, STALL_SECONDS)
        if asleep:
            self._listening = now
        self._attempt("signs of life", self.life.sign)
        self._attempt("leases", self.queue.extend if asleep else self.queue.expire)
        self._attempt("the schedule", lambda: begin_if_due(self.database, self.settings))
        self._attempt("rooms", self.queue.fail_roomless)
        self._attempt("the end of the run", self._settle)
        self._attempt("alerts", lambda: self.alerts.end_unheard(self._listening))
        if self._written is None or now - self._written >= timedelta(seconds=PROGRESS_SECONDS):
            self._attempt("progress", self._progress)

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(TICK_SECONDS)
            self._wake.clear()
            if not self._stopping:
                self.tick()

    def _attempt(self, name: str, step: Callable[[], object]) -> None:
        failed = self._failed.get(name)
        if failed is not None and self.database.clock() - failed < timedelta(seconds=RETRY_SECONDS):
            return
        try:
            step()
        except (NighttrainError, OperationalError, OSError) as error:
            reason = str(error.orig) if isinstance(error, OperationalError) else str(error)
            self._complain(name, reason, None)
        except Exception as error:
            # One broken step must not end the watch over the leases; it is said once, and tried again.
            self._complain(name, f"{type(error).__name__}: {error}", error)
        else:
            self._failed.pop(name, None)
            if self._troubles.pop(name, None):
                logger.info("%s: done after all", name)

    def _complain(self, name: str, reason: str, error: Exception | None) -> None:
        words = f"{name}: {reason}"
        if self._troubles.get(name) != words:
            logger.error("%s", words, exc_info=error)
        self._troubles[name] = words
        self._failed[name] = self.database.clock()

    def _settle(self) -> None:
        with self.database.read() as tx:
            ready = unsettled_run(tx)
            cancelled = unreported_run(tx)
        if ready is not None:
            self._end(self._decide(ready))
        if cancelled is not None:
            self._end(cancelled)

    def _decide(self, ready: RunRow) -> RunRow:
        with self.database.write() as tx:
            run = find_run(tx, ready.id)
            if run.decided is None:
                decisions = decide_run(tx, run)
                promoted = sum(decision.promoted for decision in decisions)
                logger.info("run %d: %d of %d models are promoted", run.id, promoted, len(decisions))
            return find_run(tx, ready.id)

    def _end(self, run: RunRow) -> None:
        self._publish()
        assert run.decided is not None
        # By the time of its end: written again it is the same file.
        path = self.out.results(run.decided)
        with self.database.read() as tx:
            write_results(tx, run, path)
        with self.database.write() as tx:
            end_run(tx, run, str(path))
        logger.info("run %d has ended; its results are in %s", run.id, path)
        self._progress()

    def _publish(self) -> None:
        with self.database.read() as tx:
            wanted = champions(tx.connection)
        for name in publish(self.artifacts, self.out.models, wanted):
            logger.info("%s: the promoted model is in %s", name, self.out.models)

    def _progress(self) -> None:
        try:
            write_progress(self.database, self.out.progress, self.forecast.eta())
        finally:
            self._written = self.database.clock()
