"""What operators order of single jobs, groups of them and symbols, each in one transaction."""

from __future__ import annotations

from sqlalchemy import func, literal, select, update

from common.errors import ConflictError, NotFoundError
from common.protocol.jobs import FINAL_STATES, JobKind, JobState
from common.protocol.steering import Order, RetryOrder
from common.settings.grid import grid_of
from coordinator.audit import Effect, name_of
from coordinator.policy.grouping import common_words
from coordinator.queue.breakers import lift, read_breakers
from coordinator.queue.cancellations import cancel_job, lock_attempts
from coordinator.queue.retries import RETRIED_STATES, retry_jobs
from coordinator.runs.night_orders import counted, saved_folds, unfinished
from coordinator.store.database import Transaction
from coordinator.store.rows import JOBS, JobRow, RunRow
from coordinator.store.tables import attempts, jobs

SHOWN_NAMES = 3


def retry_failed(tx: Transaction, run_id: int, order: RetryOrder) -> Effect:
    """Try the failed jobs of a run again, all of them or a group; raises like `unfinished`."""
    unfinished(tx, run_id)
    query = JOBS.where(jobs.c.run_id == run_id, jobs.c.state == JobState.FAILED).order_by(jobs.c.id)
    if order.cause is not None:
        query = query.where(jobs.c.cause == order.cause)
    if order.message is not None:
        query = query.where(jobs.c.id.in_(_with_message(tx, run_id, order.message)))
    failed = [JobRow.of(row) for row in tx.connection.execute(query.with_for_update())]
    if not failed:
        group = "" if order.cause is None and order.message is None else " of this group"
        return Effect(f"no job{group} of night {run_id} has failed", changed=False, run=run_id)
    return _retried(tx, run_id, retry_jobs(tx, failed))


def retry(tx: Transaction, job_id: int) -> Effect:
    """Try one job again that has failed or was cancelled.

    Raises
    ------
    NotFoundError
        There is no such job.
    ConflictError
        Its run has ended, or it has succeeded.
    """
    _, job = _steerable(tx, job_id)
    if job.state is JobState.SUCCEEDED:
        raise ConflictError(f"{job.name} has succeeded", "only what failed or was cancelled can be retried")
    if job.state not in RETRIED_STATES:
        return _unchanged(job, f"{job.name} is {job.state} already")
    return _retried(tx, job.run_id, retry_jobs(tx, [job]), job.id)


def cancel(tx: Transaction, job_id: int, order: Order) -> Effect:
    """Cancel one job that is not over, with a survey the cells that wait for it.

    Raises
    ------
    NotFoundError
        There is no such job.
    ConflictError
        Its run has ended, or it is over.
    """
    unfinished(tx, _find_job(tx, job_id, lock=False).run_id)
    lock_attempts(tx, attempts.c.job_id == job_id)
    job = _find_job(tx, job_id, lock=True)
    if job.state is JobState.CANCELLED:
        return _unchanged(job, f"{job.name} is cancelled already")
    if job.state in FINAL_STATES:
        raise ConflictError(
            f"{job.name} is over: it has {job.state}", "only what is not over can be cancelled"
        )
    folds = saved_folds(tx, job.run_id, [job.id])
    why = f": {order.reason}" if order.reason else ""
    trainer = _trainer_of(tx, job)
    cancelled = cancel_job(tx, job, f"it was cancelled by {name_of(order)}{why}")
    with_it = f" with {counted(len(cancelled) - 1, 'cell')} that waited for it" if len(cancelled) > 1 else ""
    told = f"; trainer {trainer} learns of it at its next renewal" if trainer else ""
    words = f"{job.name} is cancelled{with_it}{told}; {counted(folds, 'fold')} kept for a retry"
    return Effect(words, run=job.run_id, job=job.id, jobs=len(cancelled), folds_saved=folds)


def run_next(tx: Transaction, job_id: int) -> Effect:
    """Hand a job that waits out before all others; what it waits for itself goes first too.

    It no longer waits for its backoff. A survey that it needs is wanted with it.

    Raises
    ------
    NotFoundError
        There is no such job.
    ConflictError
        Its run has ended, or it is over.
    """
    run, job = _steerable(tx, job_id)
    if job.state is JobState.LEASED:
        return _unchanged(job, f"{job.name} is worked on already, by trainer {_trainer_of(tx, job)}")
    if job.state in FINAL_STATES:
        raise ConflictError(f"{job.name} is over: it has {job.state}", "have it tried again first")
    survey = _waiting_survey(tx, job) if job.waiting_since is None else []
    if all(one.wanted_next is not None and one.not_before is None for one in (job, *survey)):
        return _unchanged(job, f"{job.name} goes next already{_behind(tx, job, [job.id])}")
    wanted = [job.id, *(one.id for one in survey)]
    words = f"{job.name} goes next"
    if job.waiting_since is None:
        words += ", after the survey of its symbol"
    words += _behind(tx, job, wanted)
    since = func.coalesce(jobs.c.wanted_next, literal(tx.now, jobs.c.wanted_next.type))
    tx.connection.execute(
        update(jobs).where(jobs.c.id.in_(wanted)).values(wanted_next=since, not_before=None, changed=tx.now)
    )
    parked_until = read_breakers(tx.connection, run.id)[job.symbol].parked_until
    if parked_until is not None and parked_until > tx.now and job.kind is JobKind.TRAINING:
        words += f", once {job.symbol} is no longer parked (until {parked_until:%H:%M} UTC)"
    return Effect(
        words, run=run.id, job=job.id, jobs=len(wanted), folds_saved=saved_folds(tx, run.id, wanted)
    )


def unpark(tx: Transaction, run_id: int, symbol: str) -> Effect:
    """Hand the jobs of a parked symbol out again.

    Raises
    ------
    NotFoundError
        There is no such run, or it has no such symbol.
    ConflictError
        The run has ended.
    """
    run = unfinished(tx, run_id)
    known = grid_of(run.config).symbols
    if symbol not in known:
        raise NotFoundError(f"night {run_id} has no symbol {symbol}", f"it has {', '.join(known)}")
    if read_breakers(tx.connection, run_id)[symbol].parked_until is None:
        return Effect(f"{symbol} is not parked", changed=False, run=run_id)
    before = lift(tx, run_id, symbol)
    of_symbol = select(func.count()).where(
        jobs.c.run_id == run_id, jobs.c.symbol == symbol, jobs.c.state == JobState.QUEUED
    )
    waiting = int(tx.connection.execute(of_symbol).scalar_one())
    failed = counted(len(before.failing), "cell")
    words = f"{symbol} is no longer parked: {counted(waiting, 'job')} can go; {failed} had failed in a row"
    return Effect(words, run=run_id, jobs=waiting)


def _with_message(tx: Transaction, run_id: int, message: str) -> list[int]:
    """Return the jobs that failed with a message, or with one that differs by no more than their names."""
    columns = (jobs.c.id, jobs.c.message, jobs.c.symbol, jobs.c.timeframe, jobs.c.horizon)
    query = select(*columns).where(jobs.c.run_id == run_id, jobs.c.state == JobState.FAILED)
    return [
        job
        for job, said, symbol, timeframe, horizon in tx.connection.execute(query)
        if message in (said, common_words(said, symbol, timeframe, horizon))
    ]


def _retried(tx: Transaction, run_id: int, queued: list[JobRow], job_id: int | None = None) -> Effect:
    folds = saved_folds(tx, run_id, [job.id for job in queued])
    names = [job.name for job in sorted(queued, key=lambda job: job.ordinal)]
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    what = f"{', '.join(names[:SHOWN_NAMES])}{more}"
    words = f"{what}: tried again with fresh budgets; {counted(folds, 'saved fold')} kept"
    return Effect(words, run=run_id, job=job_id, jobs=len(queued), folds_saved=folds)


def _steerable(tx: Transaction, job_id: int) -> tuple[RunRow, JobRow]:
    """Return a job, locked, and its run, which is unfinished."""
    run = unfinished(tx, _find_job(tx, job_id, lock=False).run_id)
    return run, _find_job(tx, job_id, lock=True)


def _find_job(tx: Transaction, job_id: int, lock: bool) -> JobRow:
    query = JOBS.where(jobs.c.id == job_id)
    row = tx.connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFoundError(f"there is no job {job_id}")
    return JobRow.of(row)


def _behind(tx: Transaction, job: JobRow, wanted: list[int]) -> str:
    """Return in words how many jobs go before one that is to go next: what was asked for first goes first."""
    query = select(func.count()).where(
        jobs.c.run_id == job.run_id,
        jobs.c.state == JobState.QUEUED,
        jobs.c.id.not_in(wanted),
        jobs.c.wanted_next < (job.wanted_next or tx.now),
    )
    earlier = int(tx.connection.execute(query).scalar_one())
    return f", behind {counted(earlier, 'job')} asked for earlier" if earlier else ""


def _waiting_survey(tx: Transaction, job: JobRow) -> list[JobRow]:
    query = JOBS.where(
        jobs.c.run_id == job.run_id,
        jobs.c.symbol == job.symbol,
        jobs.c.kind == JobKind.SURVEY,
        jobs.c.state == JobState.QUEUED,
    )
    return [JobRow.of(row) for row in tx.connection.execute(query)]


def _trainer_of(tx: Transaction, job: JobRow) -> str:
    query = select(attempts.c.trainer).where(attempts.c.job_id == job.id, attempts.c.ended.is_(None))
    return str(tx.connection.execute(query).scalar() or "")


def _unchanged(job: JobRow, words: str) -> Effect:
    return Effect(words, changed=False, run=job.run_id, job=job.id)
