"""Rows as operators see them: runs, jobs with the reason why they wait, attempts and trainers."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import case, func, select

from common.protocol.job_views import AttemptView, JobView, Outcome
from common.protocol.jobs import JobKind, JobState
from common.protocol.reports import Scores
from common.protocol.runs import JobCounts, RunView
from common.protocol.status import TrainerView
from common.protocol.trainers import Progress
from common.settings.grid import GridConfig
from common.settings.night import NightSettings
from coordinator.policy.admission import Candidate, obstacle_of, pressure_words, ranked, wait_of
from coordinator.policy.window import night_at
from coordinator.queue.snapshot import Outlook, read_outlook
from coordinator.store.database import Transaction
from coordinator.store.rows import AttemptRow, JobRow, RunRow, all_of
from coordinator.store.tables import attempts, checkpoints, jobs
from coordinator.views.trainers import Presence


def counts_of(tx: Transaction, run_id: int) -> dict[JobKind, JobCounts]:
    """Return a run's jobs by state, for each kind."""
    query = (
        select(jobs.c.kind, jobs.c.state, func.count())
        .where(jobs.c.run_id == run_id)
        .group_by(jobs.c.kind, jobs.c.state)
    )
    found: dict[str, dict[str, int]] = {kind: {} for kind in JobKind}
    for kind, state, count in tx.connection.execute(query):
        found[kind][state] = count
    return {kind: JobCounts(**found[kind]) for kind in JobKind}


def run_view(tx: Transaction, run: RunRow) -> RunView:
    """Return a run and how far it is."""
    config = GridConfig.model_validate_json(run.config)
    counts = counts_of(tx, run.id)
    training = counts[JobKind.TRAINING]
    done = training.final + _saved_folds(tx, run.id, config.n_splits) / config.n_splits
    promoted = select(func.count()).where(jobs.c.run_id == run.id, jobs.c.promoted)
    return RunView(
        id=run.id,
        state=run.state,
        config=config,
        synthetic=run.synthetic,
        created=run.created,
        finished=run.finished,
        surveys=counts[JobKind.SURVEY],
        training=training,
        progress_ratio=done / training.total,
        promoted=tx.connection.execute(promoted).scalar_one(),
        results_path=run.results_path,
    )


def _saved_folds(tx: Transaction, run_id: int, most: int) -> int:
    folds = func.sum(case((checkpoints.c.folds > most, most), else_=checkpoints.c.folds))
    query = (
        select(func.coalesce(folds, 0))
        .join_from(checkpoints, jobs, checkpoints.c.job_id == jobs.c.id)
        .where(jobs.c.run_id == run_id, jobs.c.finished.is_(None))
    )
    return int(tx.connection.execute(query).scalar_one())


def attempts_of(tx: Transaction, job_ids: Sequence[int]) -> dict[int, list[AttemptRow]]:
    """Return the attempts of some jobs in order, by job."""
    found: dict[int, list[AttemptRow]] = {job_id: [] for job_id in job_ids}
    query = all_of(attempts).where(attempts.c.job_id.in_(job_ids)).order_by(attempts.c.id)
    for row in tx.connection.execute(query):
        found[row.job_id].append(AttemptRow.of(row))
    return found


def attempt_view(attempt: AttemptRow) -> AttemptView:
    """Return an attempt as it is shown; a running one is charged until it turns out to be free."""
    return AttemptView(
        number=attempt.number,
        trainer=attempt.trainer,
        host=attempt.host,
        outcome=attempt.outcome,
        cause=attempt.cause,
        charged=attempt.charged,
        message=attempt.message,
        evidence=attempt.evidence,
        started=attempt.started,
        ended=attempt.ended,
        seconds=attempt.seconds,
        peak_memory_bytes=attempt.peak_memory_bytes,
        memory_limit_bytes=attempt.memory_limit_bytes,
    )


def job_views(tx: Transaction, found: Sequence[JobRow], settings: NightSettings) -> list[JobView]:
    """Return jobs at a glance; the queued ones say why they wait."""
    history = attempts_of(tx, [job.id for job in found])
    waits: dict[int, str] = {}
    for run_id in {job.run_id for job in found if job.state is JobState.QUEUED}:
        waits |= waits_of(read_outlook(tx.connection, run_id, tx.now, settings))
    return [job_view(job, history[job.id], waits.get(job.id, "")) for job in found]


def job_view(job: JobRow, history: Sequence[AttemptRow], waits: str) -> JobView:
    """Return one job at a glance, from its attempts and the words why it waits."""
    last = history[-1] if history else None
    return JobView(
        id=job.id,
        run_id=job.run_id,
        kind=job.kind,
        symbol=job.symbol,
        timeframe=job.timeframe,
        horizon=job.horizon,
        state=job.state,
        cause=job.cause,
        message=job.message,
        waits=waits,
        rows=job.rows,
        attempts=len(history),
        trainer=last.trainer if last else "",
        progress=progress_of(last) if last and job.state is JobState.LEASED else None,
        created=job.created,
        started=job.started,
        finished=job.finished,
        seconds=last.seconds if last else None,
        peak_memory_bytes=last.peak_memory_bytes if last else None,
        scores=Scores.model_validate_json(job.scores) if job.scores else None,
        p_value=job.p_value,
        promoted=job.promoted,
        refused_by=tuple(json.loads(job.refused_by)),
        reasons=tuple(json.loads(job.reasons)),
    )


def progress_of(attempt: AttemptRow) -> Progress | None:
    """Return what was last told of an attempt."""
    return Progress.model_validate_json(attempt.progress) if attempt.progress else None


def waits_of(outlook: Outlook) -> dict[int, str]:
    """Return in words why each queued job has not been handed out yet."""
    night = night_at(outlook.settings.window, outlook.now)
    closed = f"the night is closed until {night.opens:%Y-%m-%d %H:%M} UTC" if not night.open else ""
    ahead = 0
    words = {}
    for candidate in ranked(outlook.candidates, "", outlook.terms):
        obstacle = wait_of(candidate, outlook.now)
        words[candidate.job_id] = closed or (
            obstacle.words if obstacle else _seatless(candidate, outlook, ahead)
        )
        ahead += obstacle is None
    return words


def trainer_views(tx: Transaction, roster: Sequence[Presence], outlook: Outlook) -> list[TrainerView]:
    """Return trainers with what they are doing."""
    leased = [one.lease.job_id for one in roster if one.lease is not None]
    names = {
        row.id: JobRow.of(row).name
        for row in tx.connection.execute(all_of(jobs).where(jobs.c.id.in_(leased)))
    }
    counts = (
        select(attempts.c.boot_id, func.count())
        .where(attempts.c.outcome == Outcome.SUCCEEDED)
        .where(attempts.c.boot_id.in_([one.trainer.boot_id for one in roster]))
        .group_by(attempts.c.boot_id)
    )
    blocked = {boot_id: blockage.since for boot_id, blockage in outlook.blocked.items()}
    finished = {boot_id: int(count) for boot_id, count in tx.connection.execute(counts)}
    return [
        TrainerView(
            name=one.trainer.name,
            host=one.trainer.host,
            state=one.state,
            job_id=one.lease.job_id if one.lease else None,
            job=names[one.lease.job_id] if one.lease else "",
            progress=progress_of(one.lease) if one.lease else None,
            note=_note(one, outlook),
            limit_kind=one.trainer.limit_kind,
            memory_limit_bytes=one.trainer.memory_limit_bytes,
            blocked_since=blocked.get(one.trainer.boot_id),
            jobs_finished=finished.get(one.trainer.boot_id, 0),
            last_seen=one.last_heard,
        )
        for one in roster
    ]


def _note(one: Presence, outlook: Outlook) -> str:
    blocked = outlook.blocked.get(one.trainer.boot_id)
    if blocked is not None:
        return blocked.words
    return one.trainer.note if one.lease is None else ""


def _seatless(candidate: Candidate, outlook: Outlook, ahead: int) -> str:
    if not outlook.live:
        return "no trainer is alive"
    if all(trainer.boot_id in outlook.blocked for trainer in outlook.live):
        return "; ".join(blocked.words for blocked in outlook.blocked.values())
    terms = outlook.terms
    if all(host.pressed(terms.threshold) for host in outlook.hosts.values()):
        return "; ".join(pressure_words(host, terms.threshold) for host in outlook.hosts.values())
    obstacles = [obstacle_of(candidate, outlook.seat(trainer, ""), terms) for trainer in outlook.live]
    refusals = [obstacle.words for obstacle in obstacles if obstacle is not None]
    if len(refusals) == len(obstacles):
        return refusals[0]
    return f"it waits for a free trainer; {ahead} jobs are ahead of it"
