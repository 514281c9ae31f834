"""Jobs that ran out of memory and that no trainer can ever take are failed, so that the run can end."""

from __future__ import annotations

from coordinator.housekeeping.duty import Duty, Turn
from coordinator.queue.queue import Queue


class Roomless(Duty):
    """Fails the jobs that no live trainer has memory enough for.

    Parameters
    ----------
    queue : Queue
        Whose jobs they are.
    """

    name = "jobs that need more memory"

    def __init__(self, queue: Queue) -> None:
        self.queue = queue

    def run(self, turn: Turn) -> None:
        """Fail those for which there is no hope left."""
        del turn
        self.queue.fail_roomless()
