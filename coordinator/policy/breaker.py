"""The circuit breaker of a symbol: cells that fail in a row park it for a while, then one probe goes first.

CLOSED lets every job through. When as many different cells have failed as the settings allow, and none has
succeeded in between, the symbol is PARKED: its queued jobs wait. Once the time is over it is on PROBATION:
one job at a time, ahead of all others. The probe's success closes the breaker, its failure parks the symbol
again. Only causes in `BREAKER_CAUSES` speak against the symbol; all others leave the breaker as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from common.protocol.jobs import BREAKER_CAUSES, Cause


class Gate(StrEnum):
    """What the breaker lets through: everything, nothing, or one probe at a time."""

    CLOSED = "closed"
    PARKED = "parked"
    PROBATION = "probation"


@dataclass(frozen=True)
class Breaker:
    """The state of one symbol's breaker.

    Parameters
    ----------
    failing : frozenset of int
        Jobs that failed since the last success; retries of one job count once.
    parked_until : datetime or None
        When the parking ends; None while the breaker is closed.
    """

    failing: frozenset[int] = frozenset()
    parked_until: datetime | None = None

    def gate(self, now: datetime) -> Gate:
        """Return what is let through at `now`."""
        if self.parked_until is None:
            return Gate.CLOSED
        return Gate.PARKED if now < self.parked_until else Gate.PROBATION

    def succeeded(self) -> Breaker:
        """Return the state after a success: whatever failed before, the symbol's data can be trained on."""
        return Breaker()

    def failed(self, job_id: int, cause: Cause, now: datetime, failures: int, park_seconds: float) -> Breaker:
        """Return the state after a failed attempt.

        Parameters
        ----------
        job_id : int
            The job that failed.
        cause : Cause
            Why it failed.
        now : datetime
            When it failed.
        failures : int
            How many different jobs must fail in a row to park the symbol.
        park_seconds : float
            For how long it is parked.
        """
        if cause not in BREAKER_CAUSES:
            return self
        failing = self.failing | {job_id}
        parked_until = self.parked_until
        # A job that was leased before the parking and fails during it tells nothing new; a probe that fails
        # does.
        if self.gate(now) is not Gate.PARKED and (len(failing) >= failures or parked_until is not None):
            parked_until = now + timedelta(seconds=park_seconds)
        return Breaker(failing, parked_until)
