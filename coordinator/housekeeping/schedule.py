"""Nights begin by the clock."""

from __future__ import annotations

from common.settings.night import NightSettings
from coordinator.housekeeping.duty import Duty, Turn
from coordinator.runs.schedule import begin_if_due
from coordinator.store.database import Database


class Schedule(Duty):
    """Begins the run of each opening of the window.

    Parameters
    ----------
    database : Database
        Where everything is kept.
    settings : NightSettings
        The window, and the grid of the run.
    """

    name = "the schedule"

    def __init__(self, database: Database, settings: NightSettings) -> None:
        self.database = database
        self.settings = settings

    def run(self, turn: Turn) -> None:
        """Begin a run if an opening has had none."""
        del turn
        begin_if_due(self.database, self.settings)
