"""A duty: one thing that the coordinator does by itself, at its start, again and again, and at its end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Turn:
    """One turn of the loop.

    `away` says that nothing could reach this process for a while since the duty was last done: the whole
    machine slept.
    """

    now: datetime
    away: bool = False


class Duty:
    """One duty; what is not due at the start or at the end need not be written.

    Attributes
    ----------
    name : str
        What people call it, where it could not be done.
    interval_seconds : float
        How long it is left alone after it was done; 0: it is done in every turn.
    everywhere : bool
        Whether each coordinator does it for itself; else the leader does it for all.
    """

    name: str
    interval_seconds: float = 0.0
    everywhere: bool = False

    def start(self) -> None:
        """Do what is due before the first request is answered."""

    def take_over(self, vacant_seconds: float) -> None:
        """Go on in the place of another process, after it was left undone for so many seconds."""

    def run(self, turn: Turn) -> None:
        """Do what is due now."""

    def stop(self) -> None:
        """Do what is due after the last request was answered."""

    def troubles(self) -> tuple[str, ...]:
        """Return in words what people should know that no error tells."""
        return ()
