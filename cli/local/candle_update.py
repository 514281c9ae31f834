"""Candles brought up to date before a night: a download with a deadline, which never holds the night up."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from cli.archive.layout import Market, series_below
from cli.local.processes import Child
from common.settings.night import NightSettings
from coordinator.policy.window import next_opening, night_at

LOG = logging.getLogger("nighttrain.launcher")

STOP_SECONDS = 5.0
WITHOUT = "the night trains on the candles that are there"


def opening_to_update_for(settings: NightSettings, now: datetime, served: datetime | None) -> datetime | None:
    """Return the opening of the window that an update is due for now, or None.

    Parameters
    ----------
    settings : NightSettings
        The window, and whether and how long before it to update.
    now : datetime
        An aware time.
    served : datetime or None
        The opening that an update was begun for last.
    """
    window = settings.window
    if window is None or not settings.training or not settings.data.update_before_night:
        return None
    opening = next_opening(window, now)
    early = timedelta(minutes=settings.data.update_minutes)
    return opening if opening - now <= early and opening != served else None


class CandleUpdate:
    """Runs the downloads.

    Parameters
    ----------
    say : callable
        Prints a line for people.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._print = say
        self._served: datetime | None = None
        self._begun: datetime | None = None
        self._deadline = datetime.max
        self._queue: list[Child] = []
        self._present: Child | None = None
        self.warning = ""
        """Why the last update has failed; empty after one that succeeded."""

    @property
    def runs(self) -> bool:
        """Whether an update is going on."""
        return self._present is not None

    def step(self, settings: NightSettings, now: datetime, night_is_running: bool) -> None:
        """Begin an update if one is due, and see to the one that is going on."""
        opening = opening_to_update_for(settings, now, self._served)
        if opening is not None and not self.runs:
            self._served = opening
            if not night_is_running:
                self.begin(settings, opening)
        self.attend(now)

    def begin(self, settings: NightSettings, deadline: datetime) -> None:
        """Begin an update that ends at the deadline, done or not."""
        folder = settings.data.dir
        if isinstance(folder, str):
            self._fail(f"{folder} is no folder of this machine; whoever writes to the store updates it")
            return
        markets = [market for market in Market if series_below(folder, market)]
        if not markets:
            self._fail(f"{folder} holds nothing of the archive (fetch it with nighttrain data download)")
            return
        self._say(f"updating the candles in {folder}")
        self._deadline = deadline
        words = [sys.executable, "-m", "cli", "data", "download", "--update", "--out", str(folder)]
        words += ["--archive", settings.data.archive, "--market"]
        self._queue = [Child(f"update of {market}", [*words, market], dict(os.environ)) for market in markets]
        self._next()

    def attend(self, now: datetime) -> None:
        """Look at the update that is going on: it may have ended, or must end now."""
        child = self._present
        if child is None:
            return
        code = child.exit_code
        if code is None and now < self._deadline:
            return
        if code is None:
            self.stop()
            self._fail("it was not done when the night began")
            return
        said = child.said()
        child.terminate()
        child.wait(time.monotonic())
        if code != 0:
            failed = [line for line in child.last_lines if line.startswith("failed: ")]
            self._present, self._queue = None, []
            self._fail(failed[0].removeprefix("failed: ") if failed else said)
            return
        self._say(f"candles updated: {said}")
        self._next()

    def stop(self) -> None:
        """End what is going on; what has come is kept."""
        if self._present is not None:
            self._present.terminate()
            self._present.wait(time.monotonic() + STOP_SECONDS)
        self._present, self._queue = None, []

    def warn_if_too_late(self, settings: NightSettings, now: datetime) -> None:
        """Say that the night of an opening that has passed already trains without an update."""
        if settings.window and settings.data.update_before_night and night_at(settings.window, now).open:
            self._fail("the window was open already")

    def _next(self) -> None:
        self._present = self._queue.pop(0) if self._queue else None
        if self._present is None:
            self.warning = ""
        else:
            self._present.start()

    def _fail(self, why: str) -> None:
        self.warning = f"the candles were not updated: {why}; {WITHOUT}"
        self._say(f"warning: {self.warning}")

    def _say(self, words: str) -> None:
        LOG.info("%s", words)
        self._print(words)
