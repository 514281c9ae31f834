"""A claim: the trainer's heartbeat is recorded, the best job for it is chosen, locked and leased.

A job that no trainer will ever be able to claim is failed here too.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import ARRAY, Integer, bindparam, func, select, update

from common.protocol.faults import checkpoint_fault
from common.protocol.jobs import JobKind, TrainingSpec
from common.protocol.reports import Checkpoint
from common.protocol.trainers import ClaimRequest, DiskState, Grant, HostPressure, NoWork
from common.settings.night import NightSettings
from coordinator.champions.registry import champion_manifest
from coordinator.policy.admission import (
    Candidate,
    Choice,
    Host,
    Refusal,
    Seat,
    Terms,
    bar,
    builders_last,
    emptied,
    first_fit,
    kept_back,
    over_limit,
    ranked,
)
from coordinator.policy.disk import MAX_PAUSE_SECONDS
from coordinator.policy.window import night_at
from coordinator.queue.candidates import Candidates
from coordinator.queue.checkpoints import checkpoints_of
from coordinator.queue.history import SURVEY, History, recent_history
from coordinator.queue.line import Line
from coordinator.queue.pauses import blocked_words
from coordinator.queue.shedding import is_certain, scarce_seconds
from coordinator.queue.snapshot import (
    busy_seconds,
    hosts_of,
    largest_limit,
    read_live,
    read_scene,
    read_snapshot,
    seat_of,
)
from coordinator.queue.stretches import QUEUED
from coordinator.queue.transitions import open_attempt
from coordinator.store.database import Transaction
from coordinator.store.documents import spec_of
from coordinator.store.prepared import Prepared
from coordinator.store.rows import JOBS, AttemptRow, JobRow, RunHead, TrainerRow, running_head
from coordinator.store.tables import jobs, trainers

logger = logging.getLogger(__name__)

_TRAINER = Prepared(update(trainers).where(trainers.c.boot_id == bindparam("boot")))
_CHOSEN = Prepared(JOBS.where(jobs.c.id == bindparam("job"), QUEUED).with_for_update(skip_locked=True))
_THESE = bindparam("these", type_=ARRAY(Integer))
_FIRST_FREE = (
    JOBS.where(jobs.c.id == func.any(_THESE), QUEUED)
    .order_by(func.array_position(_THESE, jobs.c.id))
    .limit(1)
    .with_for_update(skip_locked=True)
)
"""PostgreSQL alone is asked for it: a sole writer finds the first of all free."""
# Jobs of one size are expected to take equally long, so their number is enough.
_SIZE = (jobs.c.kind, jobs.c.timeframe, jobs.c.rows)
_SIZES = (
    select(*_SIZE, func.max(jobs.c.wanted_next).label("wanted_next"), func.count().label("jobs"))
    .where(jobs.c.run_id == bindparam("run"), QUEUED)
    .group_by(*_SIZE, jobs.c.wanted_next.is_not(None))
)

AT_ONCE = 16
"""So many jobs are asked for together once the first was taken by others: the first free one is had."""

UNKNOWN_DISK = DiskState(folder="", free_bytes=None)
"""The disk of a trainer that does not measure it."""

UNCONFIRMED = timedelta(seconds=2 * MAX_PAUSE_SECONDS)
"""How long after a pause a trainer is not yet believed to be able to write: so long a job may wait."""


def record_heartbeat(tx: Transaction, trainer: TrainerRow, request: ClaimRequest) -> TrainerRow:
    """Record that a trainer is alive, and what it reports of its host and its disk."""
    disk = request.disk or UNKNOWN_DISK
    reported = {
        "last_seen": tx.now,
        "disk_folder": disk.folder,
        "disk_free_bytes": disk.free_bytes,
        "disk_problem": disk.problem,
        **_columns(request.pressure, tx.now),
    }
    _TRAINER.on(tx.connection, {"boot": trainer.boot_id, **reported})
    return replace(trainer, **reported)


def record_pressure(tx: Transaction, boot_id: str, pressure: HostPressure) -> None:
    """Record what a trainer reports of its host, at a claim or while it works."""
    _TRAINER.on(tx.connection, {"boot": boot_id, **_columns(pressure, tx.now)})


def _columns(pressure: HostPressure, now: datetime) -> dict[str, Any]:
    load = None if pressure.load is None else pressure.load.model_dump_json()
    return {**pressure.model_dump(exclude={"load"}), "load": load, "load_seen": now}


def record_reason(tx: Transaction, trainer: TrainerRow, decision: Grant | Refusal) -> None:
    """Record for people why a trainer got no job (nothing: it got one), and since when its disk bars it.

    After an attempt that could not be written this holds until one ends otherwise, or until nothing has
    confirmed it for a while. A disk that can be written and has too little room for what is left is in the
    way too: nobody but the operator makes room, so a night waits for neither for ever.
    """
    words = decision.words if isinstance(decision, Refusal) else ""
    blocked_since = trainer.blocked_since
    if isinstance(decision, Refusal) and decision.reason is NoWork.STORAGE:
        blocked_since = blocked_since or tx.now
        words = blocked_words(trainer.name, blocked_since, words, decision.cannot_write)
    elif blocked_since and trainer.paused_until and tx.now <= trainer.paused_until + UNCONFIRMED:
        words = blocked_words(trainer.name, blocked_since, trainer.paused_by)
    else:
        blocked_since = None
    if (words, blocked_since) != (trainer.note, trainer.blocked_since):
        changed = {"note": words, "blocked_since": blocked_since}
        _TRAINER.on(tx.connection, {"boot": trainer.boot_id, **changed})


def decide(
    tx: Transaction, trainer: TrainerRow, last_symbol: str, settings: NightSettings
) -> Grant | Refusal:
    """Hand out the best job for a trainer, or say why it gets none."""
    night = night_at(settings.window, tx.now)
    if not night.open:
        return Refusal(NoWork.NIGHT_CLOSED, "the night is closed")
    run = running_head(tx)
    if run is None:
        return Refusal(NoWork.EMPTY, "there is no unfinished run")
    if run.held_back:
        reason = NoWork.PAUSED if run.early_end is None else NoWork.NIGHT_CLOSED
        return Refusal(reason, run.held_back)
    history = recent_history(tx.connection)
    taken: set[int] = set()
    while True:
        line = _line(tx, run, trainer, last_symbol, settings, history)
        if isinstance(line, Refusal):
            return line
        candidates, seat, terms = line
        free = (one for one in candidates if one.job_id not in taken)
        left = builders_last(free, last_symbol, terms)
        before = len(taken)
        while isinstance(choice := first_fit(left, seat, terms), Choice):
            offered = {choice.job_id: choice}
            if taken:
                offered |= {one.job_id: one for one in islice(_fitting(left, seat, terms), AT_ONCE - 1)}
            if len(offered) == 1:
                row = _CHOSEN.on(tx.connection, {"job": choice.job_id}).first()
            else:
                row = tx.connection.execute(_FIRST_FREE, {"these": list(offered)}).first()
            if row is not None:
                job = JobRow.of(row)
                return grant(tx, _lease(tx, trainer, job, offered[job.id], settings, history), job)
            # Claims on other hosts took it after it was read; the line goes on behind it, since hundreds of
            # trainers that ask at once want the same few jobs.
            taken.update(offered)
        if len(taken) == before:
            return choice


def _fitting(left: Iterator[Candidate], seat: Seat, terms: Terms) -> Iterator[Choice]:
    while isinstance(choice := first_fit(left, seat, terms), Choice):
        yield choice


def grant(tx: Transaction, attempt: AttemptRow, job: JobRow) -> Grant:
    """Return what a trainer is told about the job that it has leased."""
    assert job.spec is not None
    spec = spec_of(job.spec)
    champion, checkpoint = None, None
    if isinstance(spec, TrainingSpec):
        saved = checkpoints_of(tx, job)
        checkpoint = _sound(next(saved), spec)
        if checkpoint is None:
            earlier = next(saved)
            # One of another configuration is no fault.
            checkpoint = None if earlier and checkpoint_fault(earlier, spec) else earlier
        champion = champion_manifest(tx.connection, spec.cell, spec.synthetic)
    return Grant(
        lease_id=attempt.lease_id,
        job_id=job.id,
        run_id=job.run_id,
        attempt=attempt.number,
        spec=spec,
        memory_limit_bytes=attempt.memory_limit_bytes,
        deadline_seconds=attempt.deadline_seconds,
        checkpoint=checkpoint,
        champion=champion,
    )


def _sound(checkpoint: Checkpoint | None, spec: TrainingSpec) -> Checkpoint | None:
    """Return a checkpoint that can be gone on from; a malformed one counts as none, and is told of."""
    fault = checkpoint_fault(checkpoint, spec) if checkpoint else ""
    if fault:
        logger.warning("the checkpoint of %s is malformed and counts as none: %s", spec.cell.name, fault)
        return None
    return checkpoint


def _lease(
    tx: Transaction,
    trainer: TrainerRow,
    job: JobRow,
    choice: Choice,
    settings: NightSettings,
    history: History,
) -> AttemptRow:
    expected = history.seconds(job.timeframe, job.rows) if job.timeframe else None
    return open_attempt(
        tx,
        job,
        trainer,
        room_bytes=choice.room_bytes,
        alone=choice.alone,
        deadline_seconds=max(settings.deadline.minimum_seconds, settings.deadline.factor * (expected or 0.0)),
        lease_seconds=settings.lease.seconds,
    )


def _line(
    tx: Transaction,
    run: RunHead,
    trainer: TrainerRow,
    last_symbol: str,
    settings: NightSettings,
    history: History,
) -> tuple[Iterator[Candidate], Seat, Terms] | Refusal:
    """Return the queue in the order of admission before a trainer's seat, or what keeps all of it back."""
    if _is_short(tx, run, settings, history):
        # What is left for the next night depends on all that is queued.
        snapshot = read_snapshot(tx.connection, run.id, tx.now, settings)
        seat, terms = snapshot.seat(trainer, last_symbol), snapshot.terms
        kept = kept_back(snapshot.candidates, seat, terms)
        return kept or (iter(ranked(snapshot.candidates, last_symbol, terms)), seat, terms)
    live, leases = read_live(tx.connection, tx.now, settings, trainer.host)
    [host] = hosts_of(tx.connection, live, leases, tx.now, settings)
    terms = Terms(
        now=tx.now,
        max_wait_seconds=settings.max_wait_seconds,
        threshold=settings.memory_threshold,
        limits=(largest_limit(tx.connection, tx.now, settings),),
        hosts={host.name: host},
        most_alone_bytes=settings.most_alone_bytes,
    )
    seat = seat_of(trainer, last_symbol, host)
    others = host.name if host.leases else ""
    line = Line(Candidates(tx.connection, run.id, tx.now, history, others), last_symbol, terms)
    kept = bar(seat, terms) or _over_limit(line, seat) or _emptied(tx, line, host, settings)
    return kept or (iter(line), seat, terms)


def _is_short(tx: Transaction, run: RunHead, settings: NightSettings, history: History) -> bool:
    """Return whether the window closes before all queued jobs are done: some are left for the next night."""
    closes = night_at(settings.window, tx.now).closes
    if closes is None:
        return False
    queued = [
        (
            is_certain(JobKind(row.kind), row.wanted_next),
            history.seconds(row.timeframe or SURVEY, row.rows),
            row.jobs,
        )
        for row in tx.connection.execute(_SIZES, {"run": run.id})
    ]
    scene = read_scene(tx.connection, run.id, tx.now, settings)
    busy = busy_seconds(tx.connection, scene)
    return scarce_seconds(queued, busy, scene.workers, closes, tx.now) is not None


def _over_limit(line: Line, seat: Seat) -> Refusal | None:
    over = over_limit(seat)
    # Without a job to wait for it waits for none, whatever the limit says.
    return over if over is not None and line.is_left else None


def _emptied(tx: Transaction, line: Line, host: Host, settings: NightSettings) -> Refusal | None:
    after_oom = line.after_oom if host.leases else []
    if not after_oom:
        return None
    live, leases = read_live(tx.connection, tx.now, settings)
    hosts = {one.name: one for one in hosts_of(tx.connection, live, leases, tx.now, settings)}
    return emptied(after_oom, host, replace(line.terms, hosts=hosts))
