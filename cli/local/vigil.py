"""Nights that come and go under one launcher: their beginning, progress and end are said."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from cli.local.origin import assert_same_candles, is_recorded
from cli.local.watch import StatusFeed
from cli.screen.progress import Display
from common.objects.address import Place
from common.out_folder import OutFolder
from common.protocol.runs import RunState, RunView
from common.protocol.status import StatusDocument
from common.settings.night import NightSettings
from coordinator.policy.window import next_opening

LOG = logging.getLogger("nighttrain.launcher")

QUIET_SECONDS = 3.0
"""How long no night runs until it is said what is waited for: one may be just about to begin."""


class Vigil:
    """Looks at the status again and again.

    Parameters
    ----------
    feed : StatusFeed
        The status.
    out : OutFolder
        Where it is recorded on which candles a night was begun.
    display : Display
        Where it is said.
    start : str
        The command that begins a night.
    clock : callable
        Returns monotonic seconds.
    """

    def __init__(
        self,
        feed: StatusFeed,
        out: OutFolder,
        display: Display,
        start: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._feed, self._out, self._display, self._start, self._clock = feed, out, display, start, clock
        self._running: int | None = None
        self._told_end: int | None = None
        self._first = True
        self._quiet_since: float | None = None
        self._said_wait = ""

    def look(self, data: Place, settings: NightSettings) -> StatusDocument | None:
        """Say what has changed, and return the status, or None while the coordinator does not answer.

        Parameters
        ----------
        data : Path or str
            The candles that trainers work on.
        settings : NightSettings
            The window in force.

        Raises
        ------
        ConflictError
            An unfinished night was begun on other candles.
        """
        status = self._feed.status()
        if status is None:
            return None
        run = status.run
        if run is not None and run.state is RunState.RUNNING:
            self._goes_on(run, data)
            self._display.show(status)
        else:
            if run is not None and (run.id == self._running or not self._first):
                self._has_ended(run)
            self._waits(status, settings)
        self._first = False
        return status

    def expect(self, run: RunView) -> None:
        """Take note of a night whose beginning was said already."""
        self._running = run.id

    def _goes_on(self, run: RunView, data: Place) -> None:
        self._quiet_since, self._said_wait = None, ""
        if run.id == self._running:
            return
        self._running = run.id
        assert_same_candles(self._out, run.id, not is_recorded(self._out, run.id), data)
        what = "goes on" if run.training.final else "has begun"
        self._say(f"night {run.id} {what}: {run.training.final} of {run.training.total} cells done")

    def _has_ended(self, run: RunView) -> None:
        if run.id == self._told_end or not (run.results_path or run.state is RunState.CANCELLED):
            return
        self._told_end, self._running = run.id, None
        if run.state is RunState.CANCELLED:
            self._say(f"night {run.id} was cancelled")
            return
        counts = run.training
        told = f"{counts.succeeded} of {counts.total} cells trained{run.of_these_reused}"
        told += f", {run.broken} failed"
        told += f", {run.untrainable} not trainable" if run.untrainable else ""
        self._say(f"night {run.id} is over: {told}, {run.promoted} promoted; results {run.results_path}")

    def _waits(self, status: StatusDocument, settings: NightSettings) -> None:
        now = self._clock()
        if self._quiet_since is None:
            self._quiet_since = now
        words = waiting_for(settings, status, self._start)
        if now - self._quiet_since >= QUIET_SECONDS and words != self._said_wait:
            self._said_wait = words
            self._say(words)

    def _say(self, words: str) -> None:
        LOG.info("%s", words)
        self._display.say(words)


def waiting_for(settings: NightSettings, status: StatusDocument, start: str) -> str:
    """Return in words when the next night begins, or by which command."""
    if not settings.training:
        return "no night is running, and none begins: training is false"
    if settings.window is None:
        return f"no night is running; without a window one begins by {start}, or by nighttrain up --now"
    opens = next_opening(settings.window, status.time)
    return f"no night is running; the next one begins when the window opens, {opens:%Y-%m-%d %H:%M} UTC"
