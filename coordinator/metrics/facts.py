"""The facts of the night that metrics tell of, as one transaction has read them.

They come from the database at each scrape and from nowhere else, so that a restart changes none of them.
The rows of the current run are read once, without their documents; all that is told is counted from them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from common.protocol.job_views import Outcome, RefusalReason
from common.protocol.jobs import Cause, JobKind, JobState
from common.protocol.reports import Scores
from common.protocol.runs import RunState, RunView
from common.protocol.status import EtaView
from common.settings.night import NightSettings
from coordinator.policy.breaker import Breaker, Gate
from coordinator.queue.history import Experience
from coordinator.queue.snapshot import read_outlook
from coordinator.store.database import Transaction
from coordinator.store.rows import RunRow, all_of
from coordinator.store.tables import attempts, checkpoints, jobs, runs, symbols, trainers
from coordinator.views.shapes import run_view
from coordinator.views.status import Status
from coordinator.views.trainers import Presence, read_roster

MOST_EARLIER_RUNS = 5


@dataclass(frozen=True)
class JobFact:
    """A job of the current run; a survey has no `timeframe` and no `horizon`."""

    id: int
    kind: JobKind
    symbol: str
    timeframe: str | None
    horizon: int | None
    state: JobState
    cause: Cause | None
    rows: int | None
    waiting_since: datetime | None
    scores: Scores | None
    promoted: bool | None
    refused_by: tuple[RefusalReason, ...]


@dataclass(frozen=True)
class AttemptFact:
    """An attempt of the current run; `seconds` is None while it is running."""

    job: JobFact
    outcome: Outcome
    cause: Cause | None
    started: datetime
    seconds: float | None


@dataclass(frozen=True)
class RunFacts:
    """The current run: the unfinished one, or else the last.

    `saved` is when each job that is not over was last saved, by id. `earlier_aucs` are the mean AUCs of runs
    before it that can be compared with it.
    """

    row: RunRow
    view: RunView
    eta: EtaView
    jobs: tuple[JobFact, ...]
    attempts: tuple[AttemptFact, ...]
    saved: dict[int, datetime]
    gates: dict[str, Gate]
    earlier_aucs: tuple[float, ...]


@dataclass(frozen=True)
class Facts:
    """All facts at one moment; `starts` counts the processes of each trainer in the roster.

    `blocked` are the names of the live trainers that cannot write.
    """

    now: datetime
    settings: NightSettings
    experience: Experience
    run: RunFacts | None
    roster: tuple[Presence, ...]
    starts: dict[str, int]
    blocked: frozenset[str]
    last_claim: datetime | None
    progress_written: datetime | None


def read_facts(tx: Transaction, settings: NightSettings, status: Status, progress_file: Path) -> Facts:
    """Read the facts as they are in a transaction.

    Parameters
    ----------
    tx : Transaction
        Where they are read.
    settings : NightSettings
        The length of a lease, and the window.
    status : Status
        Who estimates the end of the run.
    progress_file : Path
        The night's checkpoint file, of which the time of writing is a fact too.
    """
    row = tx.connection.execute(all_of(runs).order_by(runs.c.id.desc()).limit(1)).first()
    run = None if row is None else RunRow.of(row)
    unfinished = run.id if run is not None and run.state is RunState.RUNNING else None
    outlook = read_outlook(tx.connection, unfinished, tx.now, settings)
    view = None if run is None else run_view(tx, run)
    roster = tuple(read_roster(tx, outlook))
    last_claim = select(attempts.c.started).order_by(attempts.c.id.desc()).limit(1)
    return Facts(
        now=tx.now,
        settings=settings,
        experience=outlook.experience,
        run=None if run is None or view is None else _run(tx, run, view, status.estimate(tx, outlook, view)),
        roster=roster,
        starts=_starts(tx, [one.trainer.name for one in roster]),
        blocked=frozenset(blocked.trainer for blocked in outlook.blocked.values()),
        last_claim=tx.connection.execute(last_claim).scalar(),
        progress_written=_written(progress_file),
    )


def _run(tx: Transaction, run: RunRow, view: RunView, eta: EtaView) -> RunFacts:
    found = _jobs(tx, run.id)
    return RunFacts(
        row=run,
        view=view,
        eta=eta,
        jobs=tuple(found.values()),
        attempts=_attempts(tx, run.id, found),
        saved=_saved(tx, run.id),
        gates=_gates(tx, run.id),
        earlier_aucs=_earlier_aucs(tx, run),
    )


def _jobs(tx: Transaction, run_id: int) -> dict[int, JobFact]:
    columns = (jobs.c.id, jobs.c.kind, jobs.c.symbol, jobs.c.timeframe, jobs.c.horizon, jobs.c.state)
    told = (
        jobs.c.cause,
        jobs.c.rows,
        jobs.c.waiting_since,
        jobs.c.scores,
        jobs.c.promoted,
        jobs.c.refused_by,
    )
    query = select(*columns, *told).where(jobs.c.run_id == run_id).order_by(jobs.c.ordinal)
    return {
        row.id: JobFact(
            id=row.id,
            kind=JobKind(row.kind),
            symbol=row.symbol,
            timeframe=row.timeframe,
            horizon=row.horizon,
            state=JobState(row.state),
            cause=Cause(row.cause) if row.cause else None,
            rows=row.rows,
            waiting_since=row.waiting_since,
            scores=Scores.model_validate_json(row.scores) if row.scores else None,
            promoted=row.promoted,
            refused_by=tuple(RefusalReason(reason) for reason in json.loads(row.refused_by)),
        )
        for row in tx.connection.execute(query)
    }


def _attempts(tx: Transaction, run_id: int, found: dict[int, JobFact]) -> tuple[AttemptFact, ...]:
    columns = (
        attempts.c.job_id,
        attempts.c.outcome,
        attempts.c.cause,
        attempts.c.started,
        attempts.c.seconds,
    )
    query = (
        select(*columns)
        .join_from(attempts, jobs, attempts.c.job_id == jobs.c.id)
        .where(jobs.c.run_id == run_id)
        .order_by(attempts.c.id)
    )
    return tuple(
        AttemptFact(
            job=found[row.job_id],
            outcome=Outcome(row.outcome),
            cause=Cause(row.cause) if row.cause else None,
            started=row.started,
            seconds=row.seconds,
        )
        for row in tx.connection.execute(query)
    )


def _saved(tx: Transaction, run_id: int) -> dict[int, datetime]:
    query = (
        select(checkpoints.c.job_id, checkpoints.c.saved)
        .join_from(checkpoints, jobs, checkpoints.c.job_id == jobs.c.id)
        .where(jobs.c.run_id == run_id, jobs.c.finished.is_(None))
    )
    return {row.job_id: row.saved for row in tx.connection.execute(query)}


def _gates(tx: Transaction, run_id: int) -> dict[str, Gate]:
    query = select(symbols.c.symbol, symbols.c.failing, symbols.c.parked_until).where(
        symbols.c.run_id == run_id
    )
    return {
        symbol: Breaker(frozenset(json.loads(failing)), parked_until).gate(tx.now)
        for symbol, failing, parked_until in tx.connection.execute(query)
    }


def _earlier_aucs(tx: Transaction, run: RunRow) -> tuple[float, ...]:
    # Scores on synthetic candles say nothing about those on real ones.
    alike = (runs.c.config == run.config, runs.c.synthetic == run.synthetic)
    query = (
        select(func.avg(jobs.c.auc))
        .join_from(jobs, runs, jobs.c.run_id == runs.c.id)
        .where(runs.c.id < run.id, runs.c.state == RunState.DONE, *alike, jobs.c.auc.is_not(None))
        .group_by(runs.c.id)
        .order_by(runs.c.id.desc())
        .limit(MOST_EARLIER_RUNS)
    )
    return tuple(tx.connection.execute(query).scalars())


def _starts(tx: Transaction, names: list[str]) -> dict[str, int]:
    query = select(trainers.c.name, func.count()).where(trainers.c.name.in_(names)).group_by(trainers.c.name)
    return {name: int(count) for name, count in tx.connection.execute(query)}


def _written(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return None
