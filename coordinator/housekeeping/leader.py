"""Who does the housekeeping: of all coordinators over one database only the leader."""

from __future__ import annotations

from typing import Protocol


class Leader(Protocol):
    """Whether this process leads; the loop asks before every turn."""

    def leads(self) -> bool:
        """Return whether this process is the leader now."""


class SoleProcess:
    """The leader by the lock of the out folder: whoever holds it is the only coordinator there is.

    With SQLite that is so for certain, as the database is a file in this folder. Coordinators that share a
    PostgreSQL database need an election instead, such as a lease in a table, in the place of this class.
    """

    def leads(self) -> bool:
        """Return True: there is nobody else."""
        return True
