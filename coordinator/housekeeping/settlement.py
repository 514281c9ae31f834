"""The end of a run: its models are decided on, promoted ones are published, its results are written.

The end takes three steps, each of which can be repeated after a crash without another result: the decisions
are committed; the files of promoted models and the results are written; the run is done.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common.out_folder import OutFolder
from common.protocol.runs import HAS_ENDED
from common.whole_file import write_whole
from coordinator.champions.decision import Outcome, decide_run
from coordinator.housekeeping.duty import Duty, Turn
from coordinator.housekeeping.progress import ProgressFile
from coordinator.housekeeping.publication import Publication
from coordinator.runs.runs import end_run, is_settled, unreported_run, unsettled_run
from coordinator.store.database import Database, Transaction
from coordinator.store.rows import RunRow, find_run
from coordinator.views.results import results_of

logger = logging.getLogger(__name__)


class Settlement(Duty):
    """Ends runs whose jobs are all final, and reports cancelled ones.

    Parameters
    ----------
    database : Database
        Where everything is kept.
    out : OutFolder
        Where the results are written.
    publication : Publication
        Writes the files of promoted models.
    progress : ProgressFile
        Is written a last time when a run has ended.
    """

    name = "the end of the run"

    def __init__(
        self, database: Database, out: OutFolder, publication: Publication, progress: ProgressFile
    ) -> None:
        self.database = database
        self.out = out
        self.publication = publication
        self.progress = progress

    def run(self, turn: Turn) -> None:
        """End the run if nothing of it is left to do."""
        del turn
        with self.database.read() as tx:
            ready = unsettled_run(tx)
            cancelled = unreported_run(tx)
        decided = self._decide(ready) if ready is not None else None
        if decided is not None:
            self._end(decided)
        if cancelled is not None:
            self._end(cancelled)

    def _decide(self, ready: RunRow) -> RunRow | None:
        with self.database.write() as tx:
            run = find_run(tx, ready.id)
            if run.decided is None:
                if not is_settled(tx, run):
                    # An operator was quicker, and has a job tried again.
                    return None
                self._log(run, decide_run(tx, run, self.publication.artifacts.holds))
            return find_run(tx, ready.id)

    @staticmethod
    def _log(run: RunRow, outcome: Outcome) -> None:
        promoted = sum(decision.promoted for decision in outcome.decisions)
        logger.info("run %d: %d of %d models are promoted", run.id, promoted, len(outcome.decisions))
        if outcome.demoted or outcome.expired:
            logger.warning(
                "run %d: %d champions are demoted and %d have expired; the results say why",
                run.id,
                outcome.demoted,
                outcome.expired,
            )

    def _end(self, run: RunRow) -> None:
        # By the time of the decision: written again after a crash it is the same file.
        assert run.decided is not None
        path = self.out.results(run.decided)
        # The one waits for the disk, the other computes: both at once take the time of the longer one.
        with ThreadPoolExecutor(1, "publication") as beside, self.database.read() as tx:
            published = beside.submit(self.publication.publish)
            write_results(tx, run, path, published.result)
        with self.database.write() as tx:
            end_run(tx, run, str(path))
        logger.info("run %d %s %s", run.id, HAS_ENDED, path)
        self.progress.write()


def write_results(tx: Transaction, run: RunRow, path: Path, made: Callable[[], None] = lambda: None) -> None:
    """Write the results of a run whose jobs are all final; `made` is called when they are, before the file.

    Raises
    ------
    StorageError
        The file could not be written.
    """
    document = results_of(tx, run).model_dump_json(by_alias=True, indent=1)
    made()
    write_whole(path, (document + "\n").encode())
