"""The wish to stop: noted by a signal, heeded where work can be left."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

EXIT_INTERRUPTED = 130


@dataclass
class Interrupt:
    """Whether a signal asked the night to stop."""

    signals: list[int] = field(default_factory=list)

    def heed(self) -> None:
        """Raise `KeyboardInterrupt` from the first SIGINT, SIGTERM or SIGHUP on."""
        if self.signals:
            raise KeyboardInterrupt

    def note(self, number: int, frame: FrameType | None) -> None:
        """Signal handler; the second signal ends the process at once, and the children with it."""
        del frame
        self.signals.append(number)
        if len(self.signals) > 1:
            os._exit(EXIT_INTERRUPTED)


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Note signals within the block instead of dying from them."""
    interrupt = Interrupt()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt.note) for number in numbers}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
