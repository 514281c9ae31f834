"""Leases that were not renewed in time expire, unless nobody could have renewed them."""

from __future__ import annotations

from coordinator.housekeeping.duty import Duty, Turn
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

    def start(self) -> None:
        """Let the leases of an earlier process live on: no trainer could reach it in between."""
        self._keep()

    def run(self, turn: Turn) -> None:
        """Take back what is overdue; while the machine slept no trainer could have renewed."""
        if turn.away or self._extend:
            self._keep()
        else:
            self.queue.expire()

    def _keep(self) -> None:
        # Until it has been done nothing may expire, even if it could not be done at once.
        self._extend = True
        self.queue.extend()
        self._extend = False
