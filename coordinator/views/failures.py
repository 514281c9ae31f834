"""What failed in a run, grouped by cause and message: one thing to mend, however many cells it took."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from common.protocol.jobs import Cause, JobKind, JobState
from common.protocol.runs import RunState
from coordinator.policy.grouping import common_words
from coordinator.store.database import Database, Transaction
from coordinator.store.rows import RunRow, find_run, newest_run
from coordinator.store.tables import attempts, jobs

WHAT_TO_DO = {
    Cause.ERROR: "The training raised an error. The evidence has its traceback.",
    Cause.CRASH: "The process died. The evidence names the signal; a machine with bad memory does this too.",
    Cause.TIMEOUT: "It took far longer than others of its kind. Does the machine swap, or is it overloaded?",
    Cause.OOM: "It ran out of memory in every room that there was. Give trainers more, or run fewer of them.",
    Cause.DATA: "Nothing broke: the candles cannot be trained on. Bring others; a new try surveys them anew.",
}
"""By cause, in a sentence or two; the others never fail a job."""


@dataclass(frozen=True)
class FailedJob:
    """A job that failed: how often it was tried and by whom last, and the evidence of that attempt."""

    job_id: int
    name: str
    kind: JobKind
    attempts: int
    trainer: str
    evidence: str
    finished: datetime


@dataclass(frozen=True)
class FailureGroup:
    """Jobs that failed by the same cause with the same message but for their names, in the order of the grid.

    Cells whose survey failed are in the group of that survey.
    """

    cause: Cause
    message: str
    jobs: tuple[FailedJob, ...]

    @property
    def untrainable(self) -> bool:
        """Whether the candles cannot be trained on; nothing has broken then."""
        return self.cause is Cause.DATA


@dataclass(frozen=True)
class Failures:
    """The failures of a run; `running` says that jobs of it can be tried again.

    What broke comes before candles that cannot be trained on, and the larger group before the smaller.
    """

    run_id: int
    running: bool
    groups: tuple[FailureGroup, ...]

    @property
    def jobs(self) -> int:
        """How many jobs failed, for whatever cause."""
        return sum(len(group.jobs) for group in self.groups)

    @property
    def untrainable(self) -> int:
        """How many of them have candles that cannot be trained on."""
        return sum(len(group.jobs) for group in self.groups if group.untrainable)


class FailureListing:
    """Reads the failures.

    Parameters
    ----------
    database : Database
        Where everything is kept; this object holds no state.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def read(self, run_id: int | None = None) -> Failures | None:
        """Return the failures of a run, or of the newest; None if there is no run yet.

        Raises
        ------
        NotFoundError
            There is no such run.
        """
        with self.database.read() as tx:
            run = newest_run(tx) if run_id is None else find_run(tx, run_id)
            if run is None:
                return None
            return failures_of(tx, run)


def failures_of(tx: Transaction, run: RunRow) -> Failures:
    """Return the failures of a run that was read in this transaction."""
    return Failures(run.id, run.state is RunState.RUNNING, _groups(tx, run.id))


def _groups(tx: Transaction, run_id: int) -> tuple[FailureGroup, ...]:
    query = (
        select(jobs.c.id, jobs.c.kind, jobs.c.symbol, jobs.c.timeframe, jobs.c.horizon, jobs.c.cause)
        .add_columns(jobs.c.message, jobs.c.finished)
        .add_columns(attempts.c.number, attempts.c.trainer, attempts.c.evidence)
        .outerjoin_from(jobs, attempts, attempts.c.job_id == jobs.c.id)
        .where(jobs.c.run_id == run_id, jobs.c.state == JobState.FAILED)
        .order_by(jobs.c.ordinal, attempts.c.number)
    )
    found: dict[int, tuple[str, str, FailedJob]] = {}
    for row in tx.connection.execute(query):
        # A job comes once for each attempt; the last one stays.
        survey = row.kind == JobKind.SURVEY
        name = f"survey of {row.symbol}" if survey else f"{row.symbol}_{row.timeframe}_H{row.horizon}"
        job = FailedJob(
            job_id=row.id,
            name=name,
            kind=JobKind(row.kind),
            attempts=row.number or 0,
            trainer=row.trainer or "",
            evidence=row.evidence or "",
            finished=row.finished,
        )
        own = common_words(row.message, row.symbol, row.timeframe, row.horizon)
        found[row.id] = (row.cause, own, job)
    alike: dict[tuple[str, str], list[FailedJob]] = {}
    for cause, own, job in found.values():
        alike.setdefault((cause, own), []).append(job)
    groups = [FailureGroup(Cause(cause), own, tuple(failed)) for (cause, own), failed in alike.items()]
    return tuple(sorted(groups, key=lambda group: (group.untrainable, -len(group.jobs))))
