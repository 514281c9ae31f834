"""The wish to stop: by a signal, or because the parent that holds our standard input is gone."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType


class StopRequest:
    """Raised once and never taken back; it can be selected on, and waits end by it at once.

    It is a pipe rather than a `threading.Event`, because a signal handler that sets an event dead-locks
    when it interrupts the main thread inside that event.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self._raised_at: float | None = None

    def fileno(self) -> int:
        """Return a descriptor that is readable from the request on."""
        return self._read

    def make(self) -> None:
        """Ask to stop; safe in a signal handler and in any thread."""
        if self._raised_at is None:
            self._raised_at = time.monotonic()
            os.write(self._write, b"!")

    @property
    def is_made(self) -> bool:
        """Whether it was asked to stop."""
        return self._raised_at is not None

    @property
    def age_seconds(self) -> float:
        """Seconds since the request; 0 before it."""
        return 0.0 if self._raised_at is None else time.monotonic() - self._raised_at

    def wait(self, seconds: float) -> bool:
        """Wait for the request so long at most; return whether it was made."""
        select.select([self._read], [], [], max(0.0, seconds))
        return self.is_made

    def on_signals(self, at_once: Callable[[int], None]) -> None:
        """Make the request at SIGTERM and SIGINT; `at_once` is called with the number of a second signal."""

        def handle(number: int, frame: FrameType | None) -> None:
            del frame
            if self.is_made:
                at_once(number)
            self.make()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, handle)

    def on_end_of_input(self) -> None:
        """Make the request when standard input ends."""

        def watch() -> None:
            while os.read(sys.stdin.fileno(), 4096):
                pass
            self.make()

        threading.Thread(target=watch, name="stdin-watch", daemon=True).start()
