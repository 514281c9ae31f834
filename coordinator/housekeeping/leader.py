"""Who does the housekeeping: of all coordinators over one database only the leader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from coordinator.store.database import Transaction


@dataclass(frozen=True)
class Leadership:
    """One leadership.

    Attributes
    ----------
    term : int
        Its number, larger than that of every earlier leader.
    vacant_seconds : float
        For how long nobody led before it.
    """

    term: int
    vacant_seconds: float = 0.0


class Leader(Protocol):
    """Whether this process leads; the loop asks before every turn."""

    def begin(self) -> None:
        """Try to lead, now and from now on."""

    def end(self) -> None:
        """Lead no longer, so that another process can at once."""

    def leadership(self) -> Leadership | None:
        """Return the present leadership of this process, None while another one leads."""

    def fence(self, tx: Transaction) -> None:
        """Refuse a transaction of a leader that is none any longer, and hold off the next one until its end.

        Raises
        ------
        DeposedError
            Another process leads.
        """

    def troubles(self) -> tuple[str, ...]:
        """Return in words what people should know."""


class SoleProcess:
    """The leader by the lock of the out folder: whoever holds it is the only coordinator there is.

    With SQLite that is so for certain, as the database is a file in this folder.
    """

    def begin(self) -> None:
        """Do nothing: it leads."""

    def end(self) -> None:
        """Do nothing: there is nobody to lead in its place."""

    def leadership(self) -> Leadership:
        """Return the one leadership there is."""
        return Leadership(0)

    def fence(self, tx: Transaction) -> None:
        """Refuse nothing."""

    def troubles(self) -> tuple[str, ...]:
        """Return nothing."""
        return ()
