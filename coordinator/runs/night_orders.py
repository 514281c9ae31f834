"""What operators order of a whole night, each in one transaction: pause, resume, end, cancel."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select, update

from common.errors import ConflictError
from common.protocol.jobs import JobKind, JobState
from common.protocol.runs import RunState
from common.protocol.steering import Order, PauseOrder
from coordinator.audit import Effect, name_of
from coordinator.queue.cancellations import cancel_waiting
from coordinator.runs.runs import cancel_run
from coordinator.store.database import Transaction
from coordinator.store.rows import RunRow, find_run, running_run
from coordinator.store.tables import checkpoints, jobs, runs


def unfinished(tx: Transaction, run_id: int) -> RunRow:
    """Return a run that can be steered, locked.

    Raises
    ------
    NotFoundError
        There is no such run.
    ConflictError
        It has ended, or is about to.
    """
    run = find_run(tx, run_id)
    if run.state is RunState.RUNNING and run.decided is None and run.early_end is None:
        return run
    if run.early_end is not None and run.decided is None:
        raise ConflictError(f"night {run_id} is ended early {run.early_end.words}", "wait until it has ended")
    ended = "was cancelled" if run.state is RunState.CANCELLED else "has ended"
    raise ConflictError(f"night {run_id} {ended}", "begin the next night, which trains anew what has failed")


def pause(tx: Transaction, run_id: int, order: PauseOrder) -> Effect:
    """Hand out no more jobs of a run; raises like `unfinished`."""
    run = unfinished(tx, run_id)
    leased = count_jobs(tx, run_id, JobState.LEASED)
    if run.pause is not None and (run.pause_gives_back or not order.give_back):
        return Effect(f"night {run_id} is paused already, {run.pause.words}", changed=False, run=run_id)
    _change(
        tx,
        run_id,
        paused=run.paused or tx.now,
        paused_by=name_of(order),
        paused_reason=order.reason,
        pause_gives_back=order.give_back,
    )
    running = f"{counted(leased, 'running job')} {'go' if leased != 1 else 'goes'} on to the end"
    if order.give_back:
        running = f"{counted(leased, 'running job')} saved and given back"
    waiting = count_jobs(tx, run_id, JobState.QUEUED)
    folds = saved_folds(tx, run_id)
    kept = f"{counted(folds, 'fold')} saved, nothing lost"
    words = f"night {run_id} is paused: {running}, {waiting} {'waits' if waiting == 1 else 'wait'}; {kept}"
    return Effect(words, run=run_id, jobs=waiting + leased, folds_saved=folds)


def resume(tx: Transaction, run_id: int) -> Effect:
    """Hand out the jobs of a paused run again; raises like `unfinished`."""
    run = unfinished(tx, run_id)
    if run.pause is None:
        return Effect(f"night {run_id} is not paused", changed=False, run=run_id)
    _change(tx, run_id, paused=None, paused_by="", paused_reason="", pause_gives_back=False)
    waiting = count_jobs(tx, run_id, JobState.QUEUED)
    words = f"night {run_id} goes on: {counted(waiting, 'job')} waiting; it was paused {run.pause.words}"
    return Effect(words, run=run_id, jobs=waiting, folds_saved=saved_folds(tx, run_id))


def end(tx: Transaction, run_id: int, order: Order) -> Effect:
    """End a run with what is done; raises like `unfinished` if it has ended.

    Jobs that wait are cancelled at once, running ones once they have saved their folds and are given back.
    Then the run ends as always: its models are decided on and its results written. The next night goes on
    with the saved folds where its candles and configuration are the same.
    """
    run = find_run(tx, run_id)
    if run.early_end is not None:
        words = f"night {run_id} is ended early already, {run.early_end.words}"
        return Effect(words, changed=False, run=run_id)
    unfinished(tx, run_id)
    leased = count_jobs(tx, run_id, JobState.LEASED)
    folds = saved_folds(tx, run_id)
    done = count_jobs(tx, run_id, JobState.SUCCEEDED, JobKind.TRAINING)
    early = {"ended_early": tx.now, "ended_early_by": name_of(order), "ended_early_reason": order.reason}
    _change(tx, run_id, **early, paused=None, paused_by="", paused_reason="", pause_gives_back=False)
    waiting = cancel_waiting(tx, run_id, find_run(tx, run_id).held_back)
    running = f"{counted(leased, 'running job')} saved and given back, {waiting} waiting cancelled"
    kept = f"{counted(folds, 'fold')} and {counted(done, 'finished cell')} kept, nothing lost"
    words = f"night {run_id} ends now: {running}; {kept}; its models are decided on and its results written"
    return Effect(words, run=run_id, jobs=waiting + leased, folds_saved=folds)


def cancel_given_back(tx: Transaction) -> int:
    """Cancel what has come back to the queue of a run that is ended early, and return how many jobs."""
    run = running_run(tx)
    return 0 if run is None or run.early_end is None else cancel_waiting(tx, run.id, run.held_back)


def cancel(tx: Transaction, run_id: int, order: Order) -> Effect:
    """Cancel a run with all its jobs that are not over; its finished models are not decided on.

    Raises
    ------
    NotFoundError
        There is no such run.
    ConflictError
        The run is done.
    """
    run = find_run(tx, run_id)
    if run.state is RunState.CANCELLED:
        return Effect(f"night {run_id} is cancelled already", changed=False, run=run_id)
    if run.decided is not None:
        raise ConflictError(f"night {run_id} is done and cannot be cancelled")
    folds = saved_folds(tx, run_id)
    done = count_jobs(tx, run_id, JobState.SUCCEEDED, JobKind.TRAINING)
    why = f": {order.reason}" if order.reason else ""
    cancelled = cancel_run(tx, run, f"the night was cancelled by {name_of(order)}{why}")
    lost = f"{counted(done, 'finished cell')} of it will not be promoted"
    words = f"night {run_id} is cancelled: {counted(cancelled, 'job')} dropped, {lost}"
    return Effect(words, run=run_id, jobs=cancelled, folds_saved=folds)


def counted(count: int, what: str) -> str:
    """Return a count of things in words."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def count_jobs(tx: Transaction, run_id: int, state: JobState, kind: JobKind | None = None) -> int:
    """Return how many jobs of a run are in a state, of one kind or of both."""
    query = select(func.count()).where(jobs.c.run_id == run_id, jobs.c.state == state)
    return int(tx.connection.execute(query.where(jobs.c.kind == kind) if kind else query).scalar_one())


def saved_folds(tx: Transaction, run_id: int, of: list[int] | None = None) -> int:
    """Return the finished folds that are saved of a run's unfinished jobs, or of some of them."""
    query = (
        select(func.coalesce(func.sum(checkpoints.c.folds), 0))
        .join_from(checkpoints, jobs, checkpoints.c.job_id == jobs.c.id)
        .where(jobs.c.run_id == run_id, jobs.c.finished.is_(None))
    )
    if of is not None:
        query = query.where(jobs.c.id.in_(of))
    return int(tx.connection.execute(query).scalar_one())


def _change(tx: Transaction, run_id: int, **changes: Any) -> None:
    tx.connection.execute(update(runs).where(runs.c.id == run_id).values(**changes))
