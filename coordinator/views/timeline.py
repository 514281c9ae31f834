"""Trainers over the time of a night: what each worked on, and why it did not between."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from common.protocol.job_views import Outcome
from common.protocol.jobs import Cause, JobKind, JobState
from common.protocol.steering import Action
from common.settings.night import NightSettings
from common.settings.sections import Window
from coordinator.policy.disk import is_of_store
from coordinator.policy.window import night_at
from coordinator.store.database import Database, Transaction
from coordinator.store.rows import AttemptRow, RunRow, TrainerRow, all_of, find_run, job_name
from coordinator.store.tables import attempts, audit, jobs, lives, trainers
from coordinator.views.gaps import LONGEST_ROUTINE_SECONDS, Around, Stay, reason_of

AWAY_SECONDS = 15.0
"""A heartbeat of the coordinator is older than this only if it was away."""

CHUNK = 500
"""So many jobs are read at a time."""

_JOBS = select(
    jobs.c.id,
    jobs.c.kind,
    jobs.c.symbol,
    jobs.c.timeframe,
    jobs.c.horizon,
    jobs.c.state,
    jobs.c.finished,
).execution_options(yield_per=CHUNK)


@dataclass(frozen=True)
class Work:
    """One attempt of a trainer; `end` is now while it runs."""

    job_id: int
    name: str
    attempt: int
    start: datetime
    end: datetime
    outcome: Outcome
    cause: Cause | None
    message: str


@dataclass(frozen=True)
class TrainerTime:
    """What a trainer did in a night: its attempts, and the gaps between them with a reason each."""

    trainer: str
    work: tuple[Work, ...]
    gaps: tuple[Stay, ...]
    busy_ratio: float


@dataclass(frozen=True)
class Timeline:
    """A night from `start` to `end`, which is now while it is not over."""

    run_id: int
    start: datetime
    end: datetime
    is_over: bool
    trainers: tuple[TrainerTime, ...]


def read_timeline(database: Database, run_id: int, settings: NightSettings) -> Timeline:
    """Return what each trainer did in a night.

    Raises
    ------
    NotFoundError
        There is no such night.
    """
    with database.read() as tx:
        return timeline_of(tx, find_run(tx, run_id), settings)


def timeline_of(tx: Transaction, run: RunRow, settings: NightSettings) -> Timeline:
    """Return what each trainer did in a night that was read in this transaction."""
    start, end = run.created, run.decided or run.finished or tx.now
    night = Stay(start, max(end, start + timedelta(seconds=1)))
    lanes = _lanes(tx, run, night, _attempts(tx, run, night), settings)
    return Timeline(run.id, night.start, night.end, run.finished is not None, lanes)


def _attempts(tx: Transaction, run: RunRow, night: Stay) -> dict[str, list[AttemptRow]]:
    query = (
        select(*attempts.c)
        .join_from(attempts, jobs, attempts.c.job_id == jobs.c.id)
        .where(jobs.c.run_id == run.id)
        .order_by(attempts.c.started, attempts.c.id)
    )
    found: dict[str, list[AttemptRow]] = {}
    for row in tx.connection.execute(query):
        found.setdefault(row.trainer, []).append(AttemptRow.of(row))
    # One that is there and got nothing is shown as well.
    present = select(trainers.c.name).where(
        trainers.c.registered <= night.end, trainers.c.last_seen >= night.start
    )
    for name in tx.connection.execute(present).scalars():
        found.setdefault(name, [])
    return dict(sorted(found.items()))


def _lanes(
    tx: Transaction,
    run: RunRow,
    night: Stay,
    by_trainer: dict[str, list[AttemptRow]],
    settings: NightSettings,
) -> tuple[TrainerTime, ...]:
    names = _names(tx, run)
    everything = [attempt for one in by_trainer.values() for attempt in one]
    absences, closed, held = _absences(tx, night), _closed(settings.window, night), _pauses(tx, run, night)
    waiting = _waiting(tx, run, everything, night)
    rows = all_of(trainers).where(trainers.c.name.in_(by_trainer)).order_by(trainers.c.registered)
    processes: dict[str, list[TrainerRow]] = {}
    for row in tx.connection.execute(rows):
        processes.setdefault(row.name, []).append(TrainerRow.of(row))
    lanes = []
    for name, own in by_trainer.items():
        known = processes.get(name, [])
        around = Around(
            absences=absences,
            closed=closed,
            held=held,
            alone=_alone(name, known, everything, names, night),
            waiting=waiting,
            processes=_lives(known, own),
            note=known[-1].note if known else "",
            ended=run.finished is not None,
        )
        work = tuple(_work(attempt, names[attempt.job_id], night) for attempt in own)
        busy = sum(_clipped(one, night) for one in work)
        lanes.append(TrainerTime(name, work, tuple(_gaps(own, night, around)), busy / night.seconds))
    return tuple(lanes)


def _work(attempt: AttemptRow, name: str, night: Stay) -> Work:
    return Work(
        job_id=attempt.job_id,
        name=name,
        attempt=attempt.number,
        start=attempt.started,
        end=attempt.ended or night.end,
        outcome=attempt.outcome,
        cause=attempt.cause,
        message=attempt.message,
    )


def _clipped(work: Work, night: Stay) -> float:
    return Stay(work.start, work.end).overlap(night)


def _gaps(own: Sequence[AttemptRow], night: Stay, around: Around) -> Iterable[Stay]:
    at, before = night.start, ""
    for attempt in own:
        gap = Stay(at, attempt.started)
        if gap.seconds > LONGEST_ROUTINE_SECONDS:
            yield _explained(gap, before, False, around)
        at = max(at, attempt.ended or night.end)
        before = _pause_after(attempt)
    gap = Stay(at, night.end)
    if gap.seconds > LONGEST_ROUTINE_SECONDS:
        yield _explained(gap, before, True, around)


def _explained(gap: Stay, before: str, is_last: bool, around: Around) -> Stay:
    kind, words = reason_of(gap, before, is_last, around)
    return Stay(gap.start, gap.end, words, kind)


def _pause_after(attempt: AttemptRow) -> str:
    if attempt.outcome is Outcome.EXPIRED:
        return "it had fallen silent, and its job was taken back"
    if attempt.cause is Cause.STORAGE:
        what = "waited for candles" if is_of_store(attempt.message) else "could not write"
        return f"it paused, because it {what}: {attempt.message}"
    if attempt.cause is Cause.STOPPED:
        return "it was stopped, and gave its job back"
    return ""


def _absences(tx: Transaction, night: Stay) -> list[Stay]:
    query = select(lives.c.began, lives.c.seen, lives.c.stopped).order_by(lives.c.id)
    rows = tx.connection.execute(query).all()
    # Of several side by side only the time counts in which none was there.
    found: list[Stay] = []
    present: datetime | None = None
    for row in sorted(rows, key=lambda one: one.began):
        if present is not None and row.began > present:
            found.append(Stay(present, row.began))
        present = max(present or row.began, row.stopped or row.seen)
    is_missed = any(row.stopped is None and row.seen == present for row in rows)
    if present is not None and is_missed and (tx.now - present).total_seconds() > AWAY_SECONDS:
        found.append(Stay(present, tx.now))
    return [stay for stay in found if stay.overlap(night) > 0]


def _pauses(tx: Transaction, run: RunRow, night: Stay) -> list[Stay]:
    """Return when operators had the night paused; a pause lasts until it is resumed, or else to its end."""
    query = (
        select(audit.c.time, audit.c.action)
        .where(audit.c.run_id == run.id, audit.c.action.in_([Action.PAUSE, Action.RESUME, Action.END]))
        .order_by(audit.c.id)
    )
    found, since = [], None
    for time, action in tx.connection.execute(query):
        if action == Action.PAUSE:
            since = since or time
        elif since is not None:
            found.append(Stay(since, time))
            since = None
    return [*found, Stay(since, night.end)] if since is not None else found


def _closed(window: Window | None, night: Stay) -> list[Stay]:
    if window is None:
        return []
    found, at = [], night.start
    while at < night.end:
        view = night_at(window, at)
        until = min(view.closes or view.opens or night.end, night.end)
        if not view.open:
            found.append(Stay(at, until))
        at = until
    return found


def _names(tx: Transaction, run: RunRow) -> dict[int, str]:
    """Return what the jobs are called of which there was an attempt."""
    tried = select(attempts.c.job_id).where(attempts.c.job_id == jobs.c.id)
    query = _JOBS.where(jobs.c.run_id == run.id, tried.exists())
    return {
        row.id: job_name(JobKind(row.kind), row.symbol, row.timeframe, row.horizon)
        for row in tx.connection.execute(query)
    }


def _waiting(tx: Transaction, run: RunRow, tried: Sequence[AttemptRow], night: Stay) -> list[Stay]:
    """Return the times in which each job could have been handed out: surveyed, and past its backoff."""
    surveys = select(jobs.c.symbol, jobs.c.finished).where(
        jobs.c.run_id == run.id, jobs.c.kind == JobKind.SURVEY, jobs.c.state == JobState.SUCCEEDED
    )
    surveyed = {row.symbol: row.finished for row in tx.connection.execute(surveys)}
    by_job: dict[int, list[AttemptRow]] = {}
    for attempt in tried:
        by_job.setdefault(attempt.job_id, []).append(attempt)
    stays = []
    for job in tx.connection.execute(_JOBS.where(jobs.c.run_id == run.id).order_by(jobs.c.ordinal)):
        ready = night.start if job.kind == JobKind.SURVEY else surveyed.get(job.symbol)
        for attempt in sorted(by_job.get(job.id, []), key=lambda one: one.number):
            if ready is not None and attempt.started > ready:
                stays.append(Stay(ready, attempt.started))
            ready = attempt.ended and attempt.ended + timedelta(seconds=attempt.retry_in_seconds or 0.0)
        until = job.finished or night.end
        if ready is not None and job.state != JobState.SUCCEEDED and until > ready:
            stays.append(Stay(ready, until))
    return stays


def _alone(
    name: str,
    known: Sequence[TrainerRow],
    tried: Sequence[AttemptRow],
    names: dict[int, str],
    night: Stay,
) -> list[Stay]:
    hosts = {process.host for process in known}
    return [
        Stay(
            attempt.started,
            attempt.ended or night.end,
            f"{names[attempt.job_id]} had its host alone, after an out-of-memory",
        )
        for attempt in tried
        if attempt.alone and attempt.trainer != name and attempt.host in hosts
    ]


def _lives(known: Sequence[TrainerRow], own: Sequence[AttemptRow]) -> list[Stay]:
    found = []
    for process in known:
        heard = [attempt.renewed for attempt in own if attempt.boot_id == process.boot_id]
        heard += [attempt.ended for attempt in own if attempt.boot_id == process.boot_id and attempt.ended]
        found.append(Stay(process.registered, max([process.last_seen, *heard])))
    return found
