"""Leases that were not renewed in time expire, unless nobody could have renewed them."""

from __future__ import annotations

from datetime import datetime, timedelta

from coordinator.housekeeping.duty import Duty, Turn
from coordinator.housekeeping.loop import STALL_SECONDS
from coordinator.queue.queue import Queue


class Expiry(Duty):
    """Takes back the jobs of trainers that fell silent.

    Parameters
    ----------
    queue : Queue
        Whose leases expire.
    """

    name = "leases"

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self._extend = False
        self._done: datetime | None = None

    def start(self) -> None:
        """Let the leases of an earlier process live on: no trainer could reach it in between."""
        self._keep()

    def take_over(self, vacant_seconds: float) -> None:
        """Go on at once, unless nobody led for long: then the database was away, for trainers too."""
        self._done = None
        self._extend = self._extend or vacant_seconds > self._longest_gap.total_seconds()

    def run(self, turn: Turn) -> None:
        """Take back what is overdue; while the machine slept no trainer could have renewed.

        Nor could any while the database did not answer, which this duty has found out at its last tries.
        """
        away = turn.away or (self._done is not None and turn.now - self._done > self._longest_gap)
        if away or self._extend:
            self._keep()
        else:
            self.queue.expire()
        self._done = turn.now

    @property
    def _longest_gap(self) -> timedelta:
        return timedelta(seconds=max(self.queue.settings.lease.seconds / 2, STALL_SECONDS))

    def _keep(self) -> None:
        # Until it has been done nothing may expire, even if it could not be done at once.
        self._extend = True
        self.queue.extend()
        self._extend = False
