"""What killed processes left unfinished below the out folder, and logs of long ago: removed at the start."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from common.out_folder import OutFolder
from common.whole_file import sweep
from coordinator.housekeeping.duty import Duty

LOG_SECONDS = 30 * 86_400.0
"""The log of a coordinator that bears a name is kept for so long after its last line."""


class Leftovers(Duty):
    """Removes files whose writing was cut off, and logs of coordinators that are gone.

    An orchestrator gives each a new name, and nobody else would remove what the former ones wrote.

    Parameters
    ----------
    out : OutFolder
        Where all is.
    clock : callable
        Seconds since the epoch.
    """

    name = "unfinished files"
    everywhere = True

    def __init__(self, out: OutFolder, clock: Callable[[], float] = time.time) -> None:
        self.out, self.clock = out, clock

    def start(self) -> None:
        """Remove them."""
        for folder in (self.out.blobs, self.out.models, self.out.logs):
            sweep(folder, self.clock)
        for path in self.out.logs_of_others():
            # Another coordinator may do the same.
            with suppress(OSError):
                self._remove_if_old(path)

    def _remove_if_old(self, path: Path) -> None:
        if self.clock() - path.stat().st_mtime > LOG_SECONDS:
            path.unlink()
