"""Jobs for operators: a filtered page of them, or one with all that is known."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import ColumnElement, func, select

from common.errors import NotFoundError
from common.protocol.job_views import JobDetail, JobPage
from common.protocol.jobs import SPEC, JobKind, JobState
from common.protocol.reports import SurveyReport, TrainingReport
from common.settings.night import NightSettings
from coordinator.queue.checkpoints import load_checkpoint
from coordinator.store.database import Database, Transaction
from coordinator.store.rows import JOBS, JobRow
from coordinator.store.tables import jobs, manifests, reports
from coordinator.views.shapes import attempt_view, attempts_of, job_views


class Listing:
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

    def page(self, filters: dict[str, Any], limit: int, offset: int) -> JobPage:
        """Return the jobs whose columns have the given values, in the order of runs and of the grid.

        A filter that is None is left out.
        """
        wanted: list[ColumnElement[bool]] = [
            jobs.c[column] == value for column, value in filters.items() if value is not None
        ]
        with self.database.read() as tx:
            total = tx.connection.execute(select(func.count()).select_from(jobs).where(*wanted)).scalar_one()
            query = JOBS.where(*wanted).order_by(jobs.c.run_id, jobs.c.ordinal).limit(limit).offset(offset)
            found = [JobRow.of(row) for row in tx.connection.execute(query)]
            views = tuple(job_views(tx, found, self.settings))
        return JobPage(total=total, limit=limit, offset=offset, jobs=views)

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
            history = attempts_of(tx, [job_id])[job_id]
            return JobDetail(
                **dict(view),
                spec=SPEC.validate_json(job.spec) if job.spec else None,
                history=tuple(attempt_view(attempt) for attempt in history),
                checkpoint=load_checkpoint(tx, job_id),
                survey=survey_report(tx, job),
                report=training_report(tx, job),
            )


def survey_report(tx: Transaction, job: JobRow) -> SurveyReport | None:
    """Return what a survey brought back; None for any other job, and before it succeeded."""
    if job.kind is not JobKind.SURVEY or job.state is not JobState.SUCCEEDED:
        return None
    document = tx.connection.execute(
        select(reports.c.document).where(reports.c.job_id == job.id)
    ).scalar_one()
    return SurveyReport.model_validate_json(document)


def training_report(tx: Transaction, job: JobRow) -> TrainingReport | None:
    """Return what a training job brought back, with its manifest; None for any other job."""
    if job.kind is not JobKind.TRAINING or job.state is not JobState.SUCCEEDED:
        return None
    query = select(reports.c.document, manifests.c.document).join_from(
        reports, manifests, manifests.c.job_id == reports.c.job_id
    )
    report, manifest = tx.connection.execute(query.where(reports.c.job_id == job.id)).one()
    whole = json.dumps({**json.loads(report), "manifest": json.loads(manifest)})
    return TrainingReport.model_validate_json(whole)
