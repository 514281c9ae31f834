"""The loop that does the coordinator's own duties in one thread, most of them only while it leads."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from common.errors import NighttrainError
from coordinator.housekeeping.duty import Duty, Turn
from coordinator.housekeeping.leader import Leader, Leadership
from coordinator.store.database import Clock

logger = logging.getLogger(__name__)

TURN_SECONDS = 0.5
WOKEN_SECONDS = 0.02
"""How long after the last turn one begins at the earliest that something woke: jobs may end many times a
second, and each turn asks the database a dozen questions.
"""
RETRY_SECONDS = 5.0
"""How long a duty that failed is left alone: what it lacks, such as disk, seldom comes back at once."""
STALL_SECONDS = 5.0
"""A gap between two turns that is shorter than this is a slow turn, not a machine that slept."""


class Loop:
    """Does the duties, by a thread between `start` and `stop`, or turn by turn with `tick`.

    Parameters
    ----------
    clock : callable
        Returns the present aware time.
    duties : sequence of Duty
        In the order in which they are done; at the end in the opposite order. Their names differ.
    leader : Leader
        Says before each turn whether this process is to do those that are not done everywhere.
    lease_seconds : float
        The length of a lease: after a gap of half of it between two turns the machine has slept.
    """

    def __init__(self, clock: Clock, duties: Sequence[Duty], leader: Leader, lease_seconds: float) -> None:
        self.duties = tuple(duties)
        self._clock = clock
        self._leader = leader
        self._longest_gap = timedelta(seconds=max(lease_seconds / 2, STALL_SECONDS))
        self._troubles: dict[str, str] = {}
        self._failed: dict[str, datetime] = {}
        self._done: dict[str, datetime] = {}
        self._untold: set[str] = set()
        self._term = 0
        self._ticked: datetime | None = None
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Do what is due before the first request is answered, and begin."""
        self._leader.begin()
        held = self._leader.leadership()
        if held is not None:
            self._term = held.term
        for duty in self.duties:
            if (held is not None or duty.everywhere) and type(duty).start is not Duty.start:
                self._attempt(duty.name, duty.start)
        self._ticked = self._clock()
        self._thread.start()

    def stop(self) -> None:
        """End after the present turn, and do what is due after the last request."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        leads = self._leader.leadership() is not None
        for duty in reversed(self.duties):
            if (leads or duty.everywhere) and type(duty).stop is not Duty.stop:
                self._attempt(duty.name, duty.stop)
        self._leader.end()

    def wake(self) -> None:
        """Say that something has changed, so that the next turn begins soon."""
        self._wake.set()

    def troubles(self) -> tuple[str, ...]:
        """Return in words what could not be done at the last try, and what else people should know."""
        told = (words for duty in self.duties for words in duty.troubles())
        return *self._troubles.values(), *told, *self._leader.troubles()

    def tick(self) -> None:
        """Do all that is due, and of what only the leader does nothing while another process leads."""
        held = self._leader.leadership()
        now = self._clock()
        away = self._ticked is not None and now - self._ticked > self._longest_gap
        self._ticked = now
        if away:
            self._untold.update(duty.name for duty in self.duties)
        if held is not None and held.term != self._term:
            self._take_over(held)
        for duty in self.duties:
            if held is None and not duty.everywhere:
                # Whoever leads now says itself what it cannot do.
                self._troubles.pop(duty.name, None)
                continue
            # What a duty does not do cannot show that it works again.
            if type(duty).run is Duty.run or not self._is_due(duty, now):
                continue
            # A duty that fails, or waits after a failure, is told of the absence when it is done.
            turn = Turn(now, duty.name in self._untold)
            if self._attempt(duty.name, partial(duty.run, turn)):
                self._done[duty.name] = now
                self._untold.discard(duty.name)

    def _take_over(self, held: Leadership) -> None:
        self._term = held.term
        for duty in self.duties:
            if not duty.everywhere:
                # What was done here before, and what was not, is of another time.
                for kept in (self._done, self._failed, self._troubles):
                    kept.pop(duty.name, None)
                self._untold.discard(duty.name)
                self._attempt(duty.name, partial(duty.take_over, held.vacant_seconds))

    def _run(self) -> None:
        while not self._stopping.wait(WOKEN_SECONDS):
            self._wake.wait(TURN_SECONDS - WOKEN_SECONDS)
            self._wake.clear()
            if not self._stopping.is_set():
                self.tick()

    def _is_due(self, duty: Duty, now: datetime) -> bool:
        done = self._done.get(duty.name)
        # A clock that was set back delays nothing.
        return done is None or not 0 <= (now - done).total_seconds() < duty.interval_seconds

    def _attempt(self, name: str, step: Callable[[], None]) -> bool:
        """Do one step of a duty, and return whether it was done: one that fails must not stop the others."""
        failed = self._failed.get(name)
        if failed is not None and self._clock() - failed < timedelta(seconds=RETRY_SECONDS):
            return False
        try:
            step()
        except (NighttrainError, OSError) as error:
            self._complain(name, str(error), None)
        except Exception as error:
            # A defect is logged once with its traceback, and tried again.
            self._complain(name, f"{type(error).__name__}: {error}", error)
        else:
            self._failed.pop(name, None)
            if self._troubles.pop(name, None):
                logger.info("%s: works again", name)
            return True
        return False

    def _complain(self, name: str, reason: str, error: Exception | None) -> None:
        words = f"{name}: {reason}"
        if self._troubles.get(name) != words:
            logger.error("%s", words, exc_info=error)
        self._troubles[name] = words
        self._failed[name] = self._clock()
