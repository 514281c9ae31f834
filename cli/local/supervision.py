"""Coordinator and trainers kept alive while a night is trained, in its first second too."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from cli.local.interrupt import Interrupt
from cli.local.processes import Child
from common.errors import UnavailableError

POLL_SECONDS = 0.25
PATIENCE_SECONDS = 60.0
"""How long a question waits for a coordinator that was killed and is started again."""

T = TypeVar("T")


class Supervision:
    """The processes of a night.

    Parameters
    ----------
    interrupt : Interrupt
        Ends every wait.
    say : callable
        Prints a line for people.
    """

    def __init__(self, interrupt: Interrupt, say: Callable[[str], None]) -> None:
        self.interrupt, self.say = interrupt, say
        self.children: list[Child] = []
        self.news = threading.Event()
        """Whoever sets it, in any thread, ends the pause of `until`."""
        self._told: dict[str, str] = {}

    def employ(self, *children: Child) -> None:
        """Start processes unless they run already, and keep them alive from now on."""
        for child in children:
            if child.process is None:
                child.start()
            else:
                # There was no log yet when it was started.
                child.log_start()
            self.children.append(child)

    def keep(self) -> None:
        """Start again what has died.

        Raises
        ------
        KeyboardInterrupt
            A signal came.
        """
        self.interrupt.check()
        for child in self.children:
            if child.keep_alive():
                self._tell(child)

    def _tell(self, child: Child) -> None:
        if not child.refusals:
            self.say(f"{child.name} ended unexpectedly and is being started again")
        elif child.refusals == 1 or child.refusal != self._told.get(child.name):
            self._told[child.name] = child.refusal
            self.say(
                f"{child.name} cannot start and is tried again: {child.refusal or 'it does not say why'}"
            )

    def ask(self, question: Callable[[], T]) -> T:
        """Return the coordinator's answer, although it may be killed and started again meanwhile.

        Raises
        ------
        UnavailableError
            It did not come back in time.
        KeyboardInterrupt
            A signal came.
        """
        give_up = time.monotonic() + PATIENCE_SECONDS
        while True:
            self.keep()
            try:
                return question()
            except UnavailableError:
                if time.monotonic() > give_up:
                    raise
            time.sleep(POLL_SECONDS)

    def until(self, is_over: Callable[[], bool], pause_seconds: float = POLL_SECONDS) -> None:
        """Keep the processes alive until something is over, which is asked again after each pause or at news.

        They are looked after as often as ever, however long a pause is.

        Raises
        ------
        KeyboardInterrupt
            A signal came.
        """
        while not is_over():
            due = time.monotonic() + pause_seconds
            while True:
                self.keep()
                left = due - time.monotonic()
                if left <= 0.0:
                    break
                if self.news.wait(min(POLL_SECONDS, left)):
                    self.news.clear()
                    break
