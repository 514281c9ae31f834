"""Alerts that are no longer reported are presumed resolved."""

from __future__ import annotations

from coordinator.alerts import Alerts
from coordinator.housekeeping.duty import Duty, Turn
from coordinator.store.database import Database


class Silence(Duty):
    """Ends alerts that should have been reported again and were not.

    Parameters
    ----------
    database : Database
        Where the alerts are.
    """

    name = "alerts"

    def __init__(self, database: Database) -> None:
        self.alerts = Alerts(database)
        self._clock = database.clock
        self._listening = database.clock()

    def start(self) -> None:
        """Listen from now on: what could not reach the coordinator before is no silence."""
        self._listening = self._clock()

    def run(self, turn: Turn) -> None:
        """End those that have not been reported for too long."""
        if turn.away:
            self._listening = turn.now
        self.alerts.presume_resolved(self._listening)
