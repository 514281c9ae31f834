"""A request to stop: recorded by a signal handler, obeyed where the work can be left."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

EXIT_INTERRUPTED = 130


@dataclass
class Interrupt:
    """The signals that asked the night to stop."""

    signals: list[int] = field(default_factory=list)
    then: Callable[[], None] | None = None
    """Called at the first signal; it may only set a flag."""
    saying: str = ""
    """What is said at the first signal: what is being saved."""

    def check(self) -> None:
        """Raise `KeyboardInterrupt` from the first SIGINT, SIGTERM or SIGHUP on."""
        if self.signals:
            raise KeyboardInterrupt

    def record(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal; the second one ends the process at once, and the children with it."""
        del frame
        self.signals.append(number)
        if len(self.signals) > 1:
            os._exit(EXIT_INTERRUPTED)
        if self.saying:
            # No print: the signal may have come in the middle of one.
            os.write(2, f"\nstopping: {self.saying} (Ctrl-C again ends at once; nothing is lost)\n".encode())
        if self.then is not None:
            self.then()


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Record signals within the block instead of dying from them."""
    interrupt = Interrupt()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt.record) for number in numbers}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
