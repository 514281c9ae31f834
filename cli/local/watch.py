"""The launcher's eye on the night: it shows progress and warnings, and sees when the night is over."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from datetime import timedelta

from cli.screen.progress import Display
from common.client.client import OperatorClient
from common.errors import ConfigurationError, StorageError, UnavailableError
from common.protocol.runs import RunState
from common.protocol.status import StatusDocument, TrainerState

LOG = logging.getLogger("nighttrain.launcher")

FIX_AND_RERUN = "nothing is lost: fix that, then run the same command to continue"

AWAY_SECONDS = 5.0
"""After so long without an answer from the coordinator a line is printed."""

LOOK_SECONDS = 1.0
"""The status is asked for so often: it costs as much as the result of a job, and people look no more often.
Of the end the coordinator's log tells at once.
"""

FULL_BYTES = 1024**2
"""With less room than this a disk cannot take a job's result, nor soon a line of the log."""


class StatusFeed:
    """Asks for the status again and again, says each warning once, and bears with a coordinator that is away.

    Parameters
    ----------
    client : OperatorClient
        The coordinator.
    display : Display
        Where warnings are shown.
    patience_seconds : float
        How long the coordinator may be away; infinite for whoever stays anyway.
    last_words : callable
        Returns what the coordinator's process printed last.
    clock : callable
        Returns monotonic seconds.
    """

    def __init__(
        self,
        client: OperatorClient,
        display: Display,
        patience_seconds: float,
        last_words: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._display = client, display
        self._patience_seconds, self._last_words, self._clock = patience_seconds, last_words, clock
        self._told: tuple[str, ...] = ()
        self._away_since: float | None = None
        self._said_away = False
        self.newest: StatusDocument | None = None

    def status(self) -> StatusDocument | None:
        """Return the status, or None while the coordinator does not answer.

        Raises
        ------
        UnavailableError
            The coordinator has been away for too long, although it was started again and again.
        """
        try:
            status = self._client.status()
        except UnavailableError as error:
            self._away(error)
            return None
        if self._said_away:
            self._display.say("the coordinator answers again")
        self._away_since, self._said_away = None, False
        self._warn(status.warnings)
        self.newest = status
        return status

    def _away(self, error: UnavailableError) -> None:
        LOG.info("no status: %s", error)
        now = self._clock()
        if self._away_since is None:
            self._away_since = now
        if not self._said_away and now - self._away_since > AWAY_SECONDS:
            self._said_away = True
            self._display.say(f"the coordinator does not answer: {error}; training continues meanwhile")
        if now - self._away_since > self._patience_seconds:
            raise UnavailableError(
                f"the coordinator does not come back; its last line was: {self._last_words() or 'none'}",
                FIX_AND_RERUN,
            )

    def _warn(self, warnings: tuple[str, ...]) -> None:
        for warning in warnings:
            if _kind(warning) not in map(_kind, self._told):
                self._display.say(f"warning: {warning}")
        self._told = warnings


class Watch:
    """Asks for the status of one run.

    Parameters
    ----------
    client : OperatorClient
        The coordinator.
    feed : StatusFeed
        Its status.
    run_id : int
        The run.
    display : Display
        Where progress is shown.
    blocked_seconds : float
        How long a night may go on without room on the disk.
    clock : callable
        Returns monotonic seconds.
    """

    def __init__(
        self,
        client: OperatorClient,
        feed: StatusFeed,
        run_id: int,
        display: Display,
        blocked_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._feed, self._run_id, self._display = client, feed, run_id, display
        self._blocked_seconds, self._clock = blocked_seconds, clock
        self._full_since: tuple[float, int] | None = None
        self.results_path = ""

    def look(self) -> bool:
        """Show how far the run is; return whether it is done and its results are written, to `results_path`.

        Raises
        ------
        ConfigurationError
            The run was cancelled.
        StorageError
            For too long no trainer could write, or the disk of the out folder was full and no cell finished.
        UnavailableError
            As of `StatusFeed.status`.
        """
        status = self._feed.status()
        if status is None:
            return False
        run = status.run
        if run is None or run.id != self._run_id:
            # Somebody started another night, so the one of this command has ended in one way or another.
            run = self._client.run(self._run_id)
        else:
            self._display.show(status)
        if run.state is RunState.CANCELLED:
            raise ConfigurationError(f"night {run.id} was cancelled")
        self._end_if_blocked(status)
        self._end_if_disk_is_full(status.system.disk_free_bytes, run.training.final)
        self.results_path = run.results_path
        return run.state is RunState.DONE and bool(run.results_path)

    def _end_if_blocked(self, status: StatusDocument) -> None:
        # Only the operator can make room, and an unattended night must not look alive for ever.
        bound = status.time - timedelta(seconds=self._blocked_seconds)
        present = [trainer for trainer in status.trainers if trainer.state is not TrainerState.LOST]
        # One that is at work may have found room; if not, it soon is idle again.
        if present and all(
            trainer.state is TrainerState.IDLE and trainer.blocked_since and trainer.blocked_since < bound
            for trainer in present
        ):
            raise StorageError("; ".join(sorted({trainer.note for trainer in present})), FIX_AND_RERUN)

    def _end_if_disk_is_full(self, free_bytes: int, ended: int) -> None:
        now = self._clock()
        if free_bytes >= FULL_BYTES:
            self._full_since = None
        elif self._full_since is None or self._full_since[1] != ended:
            self._full_since = now, ended
        elif now - self._full_since[0] > self._blocked_seconds:
            raise StorageError(
                "the disk of the out folder is full, and no cell finishes any more", FIX_AND_RERUN
            )


def saving(status: StatusDocument | None) -> str:
    """Return in words what a stop saves, by the newest status."""
    working = [one for one in status.trainers if one.state is TrainerState.WORKING] if status else []
    if status is not None and not working:
        return "stopping: no job is running"
    if not working:
        return "stopping: running jobs save their finished folds"
    jobs = ", ".join(
        f"{one.job} ({one.progress.stage}, {one.progress.done} of {one.progress.total})"
        if one.progress is not None
        else one.job
        for one in working
    )
    return f"stopping: running jobs save their finished folds: {jobs}"


def _kind(warning: str) -> str:
    """Return a warning without its figures, which change from look to look."""
    return re.sub(r"(?<![\w-])\d[\d.:]*", "#", warning)
