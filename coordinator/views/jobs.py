"""Jobs as operators see them: a filtered page, one with all that is known, and why a queued one waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, or_, select

from common.errors import NotFoundError
from common.protocol.job_views import JobDetail, JobPage, JobView
from common.protocol.jobs import SPEC, JobKind, JobState
from common.protocol.reports import SurveyReport, TrainingReport
from common.settings.night import NightSettings
from coordinator.policy.admission import Candidate, obstacle_of, pressure_words, ranked, wait_of
from coordinator.policy.window import night_at
from coordinator.queue.checkpoints import load_checkpoint
from coordinator.queue.snapshot import Snapshot, read_snapshot
from coordinator.store.database import Database, Transaction
from coordinator.store.documents import read_document
from coordinator.store.prepared import Prepared
from coordinator.store.rows import JOBS, AttemptRow, JobRow, all_of
from coordinator.store.tables import attempts, jobs, manifests, reports
from coordinator.views.ledger import next_revision

REPORT = Prepared(select(reports.c.document).where(reports.c.job_id == bindparam("job")))
_TRAINED = Prepared(
    select(reports.c.document, manifests.c.document.label("manifest"))
    .join_from(reports, manifests, manifests.c.job_id == reports.c.job_id)
    .where(reports.c.job_id == bindparam("job"))
)


class JobListing:
    """The jobs as operators see them.

    Parameters
    ----------
    database : Database
        Where everything is kept; this object holds no state.
    settings : NightSettings
        What decides why a job waits.
    """

    def __init__(self, database: Database, settings: NightSettings) -> None:
        self.database = database
        self.settings = settings

    def page(self, filters: dict[str, Any], limit: int, offset: int, since: int | None = None) -> JobPage:
        """Return the jobs whose columns have the given values, in the order of runs and of the grid.

        A filter that is None is left out. With `since`, the `revision` of an earlier page of a run, these are
        only the jobs that have changed after it, and those that a trainer works on.
        """
        wanted: list[ColumnElement[bool]] = [
            jobs.c[column] == value for column, value in filters.items() if value is not None
        ]
        with self.database.read() as tx:
            run_id = filters.get("run_id")
            # Before the jobs: what changes in between is seen once more, and never missed.
            revision = next_revision(tx.connection, run_id) if run_id is not None else None
            # One that has not been reached is of another database: this one was copied or restored since.
            if since is not None and (revision is None or since <= revision):
                wanted.append(or_(jobs.c.revision >= since, jobs.c.state == JobState.LEASED))
            total = tx.connection.execute(select(func.count()).select_from(jobs).where(*wanted)).scalar_one()
            query = JOBS.where(*wanted).order_by(jobs.c.run_id, jobs.c.ordinal).limit(limit).offset(offset)
            found = [JobRow.of(row) for row in tx.connection.execute(query)]
            views = tuple(job_views(tx, found, self.settings))
        return JobPage(total=total, limit=limit, offset=offset, revision=revision, jobs=views)

    def detail(self, job_id: int) -> JobDetail:
        """Return all that is known of a job.

        Raises
        ------
        NotFoundError
            There is no such job.
        """
        with self.database.read() as tx:
            row = tx.connection.execute(JOBS.where(jobs.c.id == job_id)).first()
            if row is None:
                raise NotFoundError(f"there is no job {job_id}")
            job = JobRow.of(row)
            [view] = job_views(tx, [job], self.settings)
            return JobDetail.of(
                view,
                spec=SPEC.validate_json(job.spec) if job.spec else None,
                history=attempts_of(tx, [job_id])[job_id],
                checkpoint=load_checkpoint(tx, job_id),
                survey=survey_report(tx, job),
                report=training_report(tx, job),
            )


def jobs_of(tx: Transaction, run_id: int) -> list[JobRow]:
    """Return the jobs of a run, in the order of the grid."""
    query = JOBS.where(jobs.c.run_id == run_id).order_by(jobs.c.ordinal)
    return [JobRow.of(row) for row in tx.connection.execute(query)]


def attempts_of(tx: Transaction, job_ids: Sequence[int]) -> dict[int, list[AttemptRow]]:
    """Return the attempts of some jobs in order, by job."""
    found: dict[int, list[AttemptRow]] = {job_id: [] for job_id in job_ids}
    query = all_of(attempts).where(attempts.c.job_id.in_(job_ids)).order_by(attempts.c.id)
    for row in tx.connection.execute(query):
        found[row.job_id].append(AttemptRow.of(row))
    return found


def job_views(tx: Transaction, found: Sequence[JobRow], settings: NightSettings) -> list[JobView]:
    """Return jobs at a glance; the queued ones say why they wait."""
    history = attempts_of(tx, [job.id for job in found])
    waits: dict[int, str] = {}
    for run_id in {job.run_id for job in found if job.state is JobState.QUEUED}:
        waits |= waits_of(read_snapshot(tx.connection, run_id, tx.now, settings))
    return [_job_view(job, history[job.id], waits.get(job.id, "")) for job in found]


def _job_view(job: JobRow, history: Sequence[AttemptRow], waits: str) -> JobView:
    last = history[-1] if history else None
    return JobView.of(
        job,
        waits=waits,
        attempts=len(history),
        trainer=last.trainer if last else "",
        progress=last.reported if last and job.state is JobState.LEASED else None,
        seconds=last.seconds if last else None,
        peak_memory_bytes=last.peak_memory_bytes if last else None,
    )


def waits_of(snapshot: Snapshot) -> dict[int, str]:
    """Return in words why each queued job has not been handed out yet."""
    closed = closed_words(snapshot)
    ahead = 0
    words = {}
    for candidate in ranked(snapshot.candidates, "", snapshot.terms):
        obstacle = wait_of(candidate, snapshot.now)
        words[candidate.job_id] = closed or (
            obstacle.words if obstacle else seat_words(candidate, snapshot, ahead)
        )
        ahead += obstacle is None
    return words


def closed_words(snapshot: Snapshot) -> str:
    """Return in words why no job at all is handed out, or nothing."""
    night = night_at(snapshot.settings.window, snapshot.now)
    closed = f"the night is closed until {night.opens:%Y-%m-%d %H:%M} UTC" if not night.open else ""
    return snapshot.held_back or closed


def seatless_words(snapshot: Snapshot) -> str:
    """Return in words why no trainer takes any job, or nothing."""
    if not snapshot.live:
        return "no trainer is alive"
    if snapshot.blocked == snapshot.live:
        return "; ".join(trainer.note for trainer in snapshot.blocked)
    threshold = snapshot.terms.threshold
    if all(host.pressed(threshold) for host in snapshot.hosts.values()):
        return "; ".join(pressure_words(host, threshold) for host in snapshot.hosts.values())
    return ""


def seat_words(candidate: Candidate, snapshot: Snapshot, ahead: int) -> str:
    """Return in words why a job that waits for nothing else has no trainer; `ahead` jobs come before it."""
    if seatless := seatless_words(snapshot):
        return seatless
    terms = snapshot.terms
    obstacles = [obstacle_of(candidate, snapshot.seat(trainer, ""), terms) for trainer in snapshot.live]
    refusals = [obstacle.words for obstacle in obstacles if obstacle is not None]
    if len(refusals) == len(obstacles):
        return refusals[0]
    if ahead == 0:
        return "it waits for a free trainer and is the next"
    return f"it waits for a free trainer; {ahead} {'job is' if ahead == 1 else 'jobs are'} ahead of it"


def survey_report(tx: Transaction, job: JobRow) -> SurveyReport | None:
    """Return what a survey brought back; None for any other job, and before it succeeded."""
    if job.kind is not JobKind.SURVEY or job.state is not JobState.SUCCEEDED:
        return None
    document = REPORT.on(tx.connection, {"job": job.id}).scalar_one()
    return read_document(SurveyReport, document, f"the report of the {job.name}")


def training_report(tx: Transaction, job: JobRow) -> TrainingReport | None:
    """Return what a training job brought back, with its manifest; None for any other job."""
    if job.kind is not JobKind.TRAINING or job.state is not JobState.SUCCEEDED:
        return None
    report, manifest = _TRAINED.on(tx.connection, {"job": job.id}).one()
    whole = f'{{"manifest": {manifest}, {report.lstrip().removeprefix("{")}'
    return read_document(TrainingReport, whole, f"the report of {job.name}")
