"""Jobs that operators have tried again: they begin anew, with their saved folds and fresh budgets.

A cell whose candles were refused, or that never had a survey, is tried again from its symbol's survey on:
whoever retries it has seen to the candles. Cells of the symbol that still wait then wait for the survey too.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete, func, select, update

from common.protocol.jobs import FINAL_STATES, Cause, JobKind, JobState
from coordinator.queue.transitions import reopen
from coordinator.store.database import Transaction
from coordinator.store.rows import JOBS, JobRow
from coordinator.store.tables import attempts, jobs, reports

RETRIED_STATES = (JobState.FAILED, JobState.CANCELLED)
"""States from which a job can be tried again."""


def retry_jobs(tx: Transaction, wanted: Iterable[JobRow]) -> list[JobRow]:
    """Queue jobs again that have failed or were cancelled, and whatever they need to be tried.

    Parameters
    ----------
    wanted : iterable of JobRow
        Jobs of one unfinished run, locked; those in other states are left alone.

    Returns
    -------
    list of JobRow
        All that were queued again, as they were before.
    """
    found = {job.id: job for job in wanted if job.state in RETRIED_STATES}
    surveys = {}
    for job in list(found.values()):
        if job.kind is JobKind.SURVEY or _needs_survey(job):
            survey = _survey_of(tx, job)
            if survey.state in FINAL_STATES:
                surveys[survey.id] = survey
                found |= {cell.id: cell for cell in _untried_cells(tx, survey)}
    found |= surveys
    surveyed_again = {survey.symbol for survey in surveys.values()}
    for job in sorted(found.values(), key=lambda one: one.ordinal):
        if job.kind is JobKind.SURVEY:
            tx.connection.execute(delete(reports).where(reports.c.job_id == job.id))
        waits = job.kind is JobKind.TRAINING and (_needs_survey(job) or job.symbol in surveyed_again)
        reopen(tx, job, waiting_since=None if waits else tx.now, forgiven=_last_attempt(tx, job))
    for survey in surveys.values():
        _wait_for(tx, survey)
    return list(found.values())


def _needs_survey(job: JobRow) -> bool:
    return job.kind is JobKind.TRAINING and (job.spec is None or job.cause is Cause.DATA)


def _survey_of(tx: Transaction, job: JobRow) -> JobRow:
    query = JOBS.where(
        jobs.c.run_id == job.run_id, jobs.c.symbol == job.symbol, jobs.c.kind == JobKind.SURVEY
    )
    return JobRow.of(tx.connection.execute(query.with_for_update()).one())


def _untried_cells(tx: Transaction, survey: JobRow) -> list[JobRow]:
    """Return the cells that ended without a trainer, because their survey did not come or refused them."""
    query = JOBS.where(
        jobs.c.run_id == survey.run_id,
        jobs.c.symbol == survey.symbol,
        jobs.c.kind == JobKind.TRAINING,
        jobs.c.state.in_(RETRIED_STATES),
        jobs.c.spec.is_(None),
    )
    return [JobRow.of(row) for row in tx.connection.execute(query.with_for_update())]


def _wait_for(tx: Transaction, survey: JobRow) -> None:
    """Let the cells of a symbol wait for the survey that is done again: it may find other candles."""
    tx.connection.execute(
        update(jobs)
        .where(
            jobs.c.run_id == survey.run_id,
            jobs.c.symbol == survey.symbol,
            jobs.c.kind == JobKind.TRAINING,
            jobs.c.state == JobState.QUEUED,
        )
        .values(waiting_since=None, changed=tx.now)
    )


def _last_attempt(tx: Transaction, job: JobRow) -> int:
    query = select(func.coalesce(func.max(attempts.c.number), 0)).where(attempts.c.job_id == job.id)
    return int(tx.connection.execute(query).scalar_one())
