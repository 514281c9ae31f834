"""The candles of a night as its surveys saw them: coverage, defects with their places, age of the newest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select

from common.protocol.jobs import JobKind, JobState
from common.protocol.reports import Finding, SurveyReport
from coordinator.store.database import Database, Transaction
from coordinator.store.documents import read_document
from coordinator.store.rows import JOBS, JobRow, RunRow, find_run
from coordinator.store.tables import jobs, reports
from coordinator.views.excerpt import EVERYTHING, Excerpt, Shown, shown_of

HARMLESS = {"kept", "sorted", "resampled"}
"""What was done about findings that take nothing away."""

MOMENTS = ("%Y-%m-%d %H:%M UTC", "%Y-%m-%d %H:%M:%S UTC")
"""How a survey writes the first place of a finding in a series."""


@dataclass(frozen=True)
class SymbolCandles:
    """A symbol's survey; `report` is None before it succeeded, `newest` the close of the last bar of all."""

    job: JobRow
    report: SurveyReport | None

    @property
    def newest(self) -> datetime | None:
        """When the last bar of all series closes."""
        ends = [one.span.end for one in self.report.series if one.span] if self.report else []
        return max(ends, default=None)

    @property
    def missing(self) -> int:
        """How many bars are missing, in all series."""
        return sum(one.missing for one in self.report.series) if self.report else 0


@dataclass(frozen=True)
class NightCandles:
    """The candles of a night's symbols that are shown, in order; `names` are all its symbols."""

    run_id: int
    now: datetime
    synthetic: bool
    names: tuple[str, ...]
    shown: Shown
    symbols: tuple[SymbolCandles, ...]


def night_candles(database: Database, run_id: int, excerpt: Excerpt = EVERYTHING) -> NightCandles:
    """Return the candles that the surveys of a night saw, of the symbols that are shown.

    Raises
    ------
    NotFoundError
        There is no such night.
    """
    with database.read() as tx:
        return candles_of(tx, find_run(tx, run_id), excerpt)


def candles_of(tx: Transaction, run: RunRow, excerpt: Excerpt = EVERYTHING) -> NightCandles:
    """Return the candles that the surveys of a night saw that was read in this transaction."""
    of_night = (jobs.c.run_id == run.id, jobs.c.kind == JobKind.SURVEY)
    offered = select(jobs.c.symbol).where(*of_night).order_by(jobs.c.ordinal)
    names = tuple(tx.connection.execute(offered).scalars())
    shown = shown_of(names, excerpt)
    query = JOBS.where(*of_night).order_by(jobs.c.ordinal)
    if len(shown.symbols) < len(names):
        query = query.where(jobs.c.symbol.in_(shown.symbols))
    found = [JobRow.of(row) for row in tx.connection.execute(query)]
    surveyed = [job.id for job in found if job.state is JobState.SUCCEEDED]
    brought = select(reports.c.job_id, reports.c.document).where(reports.c.job_id.in_(surveyed))
    documents = {
        row.job_id: read_document(SurveyReport, row.document, f"the report of survey {row.job_id}")
        for row in tx.connection.execute(brought)
    }
    symbols = tuple(SymbolCandles(job, documents.get(job.id)) for job in found)
    return NightCandles(run.id, tx.now, run.synthetic, names, shown, symbols)


def place_of(finding: Finding) -> datetime | None:
    """Return when a finding's first place is; None where it is a file."""
    for form in MOMENTS:
        try:
            return datetime.strptime(finding.first, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None
