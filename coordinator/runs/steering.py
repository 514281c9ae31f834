"""What operators change while a night runs: one method an action, one transaction each.

Every action can be asked for again: what is done already stays as it is, and says so. A change is recorded
in the transaction that makes it (`coordinator.audit`), so that neither is ever without the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import func, select, update

from common.errors import ConflictError, NotFoundError
from common.protocol.jobs import JobState
from common.protocol.runs import RunState
from common.protocol.steering import Action, Order, PauseOrder, RetryOrder, Steered
from coordinator.audit import Effect, Request, answered, log, name_of, record
from coordinator.queue.retries import RETRIED_STATES, retry_jobs
from coordinator.store.database import Database, Transaction
from coordinator.store.rows import JOBS, JobRow, RunRow, find_run
from coordinator.store.tables import checkpoints, jobs, runs


class Steering:
    """Does what operators ask for.

    Parameters
    ----------
    database : Database
        Where everything is kept; this object holds no state.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def pause(self, run_id: int, order: PauseOrder, request: Request) -> Steered:
        """Hand out no more jobs of a run until it is resumed.

        Raises
        ------
        NotFoundError
            There is no such run.
        ConflictError
            The run has ended.
        """
        return self._steer(Action.PAUSE, order, request, lambda tx: _pause(tx, run_id, order))

    def resume(self, run_id: int, order: Order, request: Request) -> Steered:
        """Hand out the jobs of a paused run again; raises like `pause`."""
        return self._steer(Action.RESUME, order, request, lambda tx: _resume(tx, run_id))

    def retry(self, run_id: int, order: RetryOrder, request: Request) -> Steered:
        """Try the failed jobs of a run again, all of them or a group; raises like `pause`."""
        return self._steer(Action.RETRY, order, request, lambda tx: _retry(tx, run_id, order))

    def retry_job(self, job_id: int, order: Order, request: Request) -> Steered:
        """Try one job again that has failed or was cancelled.

        Raises
        ------
        NotFoundError
            There is no such job.
        ConflictError
            Its run has ended, or it has succeeded.
        """
        return self._steer(Action.RETRY, order, request, lambda tx: _retry_job(tx, job_id))

    def _steer(
        self, action: Action, order: Order, request: Request, act: Callable[[Transaction], Effect]
    ) -> Steered:
        try:
            with self.database.write() as tx:
                before = answered(tx, action, request)
                if before is not None:
                    return before
                effect = act(tx)
                if order.preview:
                    raise _PreviewError(effect)
                if effect.changed:
                    record(tx, action, effect, order, request)
        except _PreviewError as previewed:
            effect = previewed.effect
        else:
            if effect.changed:
                log(action, effect, order, request)
        return Steered.of(effect, action=action, preview=order.preview)


class _PreviewError(Exception):
    """Rolls back what was done to see its effect."""

    def __init__(self, effect: Effect) -> None:
        super().__init__(effect.words)
        self.effect = effect


def _unfinished(tx: Transaction, run_id: int) -> RunRow:
    """Return a run that can be steered, locked.

    Raises
    ------
    NotFoundError
        There is no such run.
    ConflictError
        It has ended, or its models are being decided on.
    """
    run = find_run(tx, run_id)
    if run.state is not RunState.RUNNING or run.decided is not None:
        ended = "was cancelled" if run.state is RunState.CANCELLED else "has ended"
        raise ConflictError(f"run {run_id} {ended}", "begin the next night, which trains all its cells anew")
    return run


def _pause(tx: Transaction, run_id: int, order: PauseOrder) -> Effect:
    run = _unfinished(tx, run_id)
    leased = _count(tx, run_id, JobState.LEASED)
    if run.pause is not None and (run.pause_gives_back or not order.give_back):
        return Effect(f"run {run_id} is paused already, {run.pause.words}", changed=False, run=run_id)
    _change(
        tx,
        run_id,
        paused=run.paused or tx.now,
        paused_by=name_of(order),
        paused_reason=order.reason,
        pause_gives_back=order.give_back,
    )
    running = f"{leased} running jobs go on to their end"
    if order.give_back:
        running = f"{leased} running jobs save their folds and are given back"
    waiting = _count(tx, run_id, JobState.QUEUED)
    folds = _saved_folds(tx, run_id)
    words = f"run {run_id} is paused: {running}, {waiting} wait; {folds} folds are saved"
    return Effect(words, run=run_id, jobs=waiting + leased, folds_saved=folds)


def _resume(tx: Transaction, run_id: int) -> Effect:
    run = _unfinished(tx, run_id)
    if run.pause is None:
        return Effect(f"run {run_id} is not paused", changed=False, run=run_id)
    _change(tx, run_id, paused=None, paused_by="", paused_reason="", pause_gives_back=False)
    waiting = _count(tx, run_id, JobState.QUEUED)
    words = f"run {run_id} goes on: {waiting} jobs wait; it was paused {run.pause.words}"
    return Effect(words, run=run_id, jobs=waiting, folds_saved=_saved_folds(tx, run_id))


def _retry(tx: Transaction, run_id: int, order: RetryOrder) -> Effect:
    _unfinished(tx, run_id)
    query = JOBS.where(jobs.c.run_id == run_id, jobs.c.state == JobState.FAILED).order_by(jobs.c.id)
    if order.cause is not None:
        query = query.where(jobs.c.cause == order.cause)
    if order.message is not None:
        query = query.where(jobs.c.message == order.message)
    failed = [JobRow.of(row) for row in tx.connection.execute(query.with_for_update())]
    which = "" if order.cause is None and order.message is None else " of this group"
    if not failed:
        return Effect(f"no job{which} of run {run_id} has failed", changed=False, run=run_id)
    return _retried(tx, run_id, retry_jobs(tx, failed))


def _retry_job(tx: Transaction, job_id: int) -> Effect:
    _unfinished(tx, _find_job(tx, job_id).run_id)
    # Once more, now that nobody else can steer the run: it may have moved meanwhile.
    job = _find_job(tx, job_id)
    if job.state is JobState.SUCCEEDED:
        raise ConflictError(f"{job.name} has succeeded", "only what failed or was cancelled can be retried")
    if job.state not in RETRIED_STATES:
        words = f"{job.name} is {job.state} already"
        return Effect(words, changed=False, run=job.run_id, job=job_id)
    return _retried(tx, job.run_id, retry_jobs(tx, [job]), job)


def _retried(tx: Transaction, run_id: int, queued: list[JobRow], one: JobRow | None = None) -> Effect:
    folds = _saved_folds(tx, run_id, [job.id for job in queued])
    names = ", ".join(job.name for job in sorted(queued, key=lambda job: job.ordinal)[:3])
    more = f" and {len(queued) - 3} more" if len(queued) > 3 else ""
    words = f"{names}{more}: tried again with fresh budgets; {folds} saved folds are kept"
    return Effect(
        words, run=run_id, job=one.id if one is not None else None, jobs=len(queued), folds_saved=folds
    )


def _find_job(tx: Transaction, job_id: int) -> JobRow:
    row = tx.connection.execute(JOBS.where(jobs.c.id == job_id).with_for_update()).first()
    if row is None:
        raise NotFoundError(f"there is no job {job_id}")
    return JobRow.of(row)


def _change(tx: Transaction, run_id: int, **changes: Any) -> None:
    tx.connection.execute(update(runs).where(runs.c.id == run_id).values(**changes))


def _count(tx: Transaction, run_id: int, state: JobState) -> int:
    query = select(func.count()).where(jobs.c.run_id == run_id, jobs.c.state == state)
    return int(tx.connection.execute(query).scalar_one())


def _saved_folds(tx: Transaction, run_id: int, of: list[int] | None = None) -> int:
    """Return the finished folds that are saved of a run's unfinished jobs, or of some of them."""
    query = (
        select(func.coalesce(func.sum(checkpoints.c.folds), 0))
        .join_from(checkpoints, jobs, checkpoints.c.job_id == jobs.c.id)
        .where(jobs.c.run_id == run_id, jobs.c.finished.is_(None))
    )
    if of is not None:
        query = query.where(jobs.c.id.in_(of))
    return int(tx.connection.execute(query).scalar_one())
