"""The morning report: a file beside the results of each night that has ended.

It is a duty of its own, so that a night ends whatever becomes of its report. One that could not be written,
or whose writing was killed, is tried again until it is there.
"""

from __future__ import annotations

import logging

from coordinator.housekeeping.duty import Duty, Turn
from coordinator.report.reports import Reports
from coordinator.runs.ended import record_report, unwritten_report
from coordinator.store.database import Database
from coordinator.store.rows import running_head

logger = logging.getLogger(__name__)


class MorningReport(Duty):
    """Writes the reports that are due.

    Parameters
    ----------
    database : Database
        Where it is kept which nights have ended.
    reports : Reports
        Makes and writes them.
    """

    name = "the morning report"

    def __init__(self, database: Database, reports: Reports) -> None:
        self.database = database
        self.reports = reports
        self._is_ready = False

    def run(self, turn: Turn) -> None:
        """Write the report of a night that has ended and has none; get ready for it while one runs."""
        del turn
        self._write()
        if not self._is_ready:
            with self.database.read() as tx:
                runs = running_head(tx) is not None
            if runs:
                # A defect in it is told by the report itself.
                self._is_ready = True
                self.reports.prepare()

    def stop(self) -> None:
        """Write what is due: who stops the coordinator may have waited for the end of the night only."""
        self._write()

    def _write(self) -> None:
        with self.database.read() as tx:
            run = unwritten_report(tx)
        if run is None:
            return
        path = self.reports.write(run)
        with self.database.write() as tx:
            record_report(tx, run.id, str(path))
        logger.info("run %d: its report is %s", run.id, path)
