"""Nights that an operator ends early: what their trainers give back is cancelled, so that they can end."""

from __future__ import annotations

import logging

from coordinator.housekeeping.duty import Duty, Turn
from coordinator.runs.night_orders import cancel_given_back
from coordinator.store.database import Database
from coordinator.store.rows import running_run

logger = logging.getLogger(__name__)


class EarlyEnd(Duty):
    """Cancels what has come back to the queue of a run that is ended early.

    Parameters
    ----------
    database : Database
        Where the jobs are.
    """

    name = "the early end of the run"

    def __init__(self, database: Database) -> None:
        self.database = database

    def run(self, turn: Turn) -> None:
        """Cancel them."""
        del turn
        with self.database.read() as tx:
            run = running_run(tx)
        if run is None or run.early_end is None:
            return
        with self.database.write() as tx:
            cancelled = cancel_given_back(tx)
        if cancelled:
            logger.info("%d jobs that were given back are cancelled, for the night is ended early", cancelled)
