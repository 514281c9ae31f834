"""Alerts that are no longer reported are presumed resolved."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from coordinator.alerts import Alerts
from coordinator.housekeeping.duty import Duty, Turn


class Silence(Duty):
    """Ends alerts that should have been reported again and were not.

    Parameters
    ----------
    alerts : Alerts
        The alerts, and whether scrapes are overdue.
    clock : callable
        Returns the present time, aware.
    """

    name = "alerts"

    def __init__(self, alerts: Alerts, clock: Callable[[], datetime]) -> None:
        self.alerts = alerts
        self._clock = clock
        self._listening = clock()

    def start(self) -> None:
        """Listen from now on: what could not reach the coordinator before is no silence."""
        self._listening = self._clock()

    def run(self, turn: Turn) -> None:
        """End those that have not been reported for too long."""
        if turn.away:
            self._listening = turn.now
        self.alerts.presume_resolved(max(self._listening, self.alerts.scrapes.regular_since))
