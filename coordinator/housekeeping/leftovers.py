"""What killed processes left unfinished below the out folder is removed at the start."""

from __future__ import annotations

from pathlib import Path

from common.whole_file import sweep
from coordinator.housekeeping.duty import Duty


class Leftovers(Duty):
    """Removes files whose writing was cut off.

    Parameters
    ----------
    *folders : Path
        Where files are written whole or not at all.
    """

    name = "unfinished files"
    everywhere = True

    def __init__(self, *folders: Path) -> None:
        self.folders = folders

    def start(self) -> None:
        """Remove them."""
        for folder in self.folders:
            sweep(folder)
