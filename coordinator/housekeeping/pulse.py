"""The machine is measured now and then, so that the page can show its last hour."""

from __future__ import annotations

from coordinator.housekeeping.duty import Duty, Turn
from coordinator.views.vitals import Vitals


class Pulse(Duty):
    """Takes a sample of the machine.

    Parameters
    ----------
    vitals : Vitals
        Where the samples are kept.
    """

    name = "measuring the machine"
    interval_seconds = 15.0
    everywhere = True

    def __init__(self, vitals: Vitals) -> None:
        self.vitals = vitals

    def run(self, turn: Turn) -> None:
        """Take one."""
        self.vitals.measure(turn.now)
