"""What of a run is left for the next night, as the database and the clock have it now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, func, select

from common.protocol.jobs import JobKind, JobState
from coordinator.champions.registry import champion_moments
from coordinator.policy.admission import Candidate
from coordinator.policy.shedding import Waiting, shed
from coordinator.store.tables import jobs

DAY_SECONDS = 86_400.0


def marked(
    connection: Connection,
    run_id: int,
    candidates: Sequence[Candidate],
    busy_seconds: float,
    trainers: int,
    closes: datetime,
    now: datetime,
) -> tuple[Candidate, ...]:
    """Return the candidates, those marked that are left for the next night.

    While some duration is unknown, or no trainer is alive, nothing is left. What an operator wants next never
    is.

    Parameters
    ----------
    connection : Connection
        Where the values of the cells are read, and only if they do not all fit.
    run_id : int
        The run of the candidates.
    candidates : sequence of Candidate
        All queued jobs of the run.
    busy_seconds : float
        How long the running jobs still take, all together.
    trainers : int
        Trainers that are alive.
    closes : datetime
        When the window closes.
    now : datetime
        An aware time.
    """
    queued = [(is_certain(one.kind, one.wanted_next), one.seconds, 1) for one in candidates]
    capacity = scarce_seconds(queued, busy_seconds, trainers, closes, now)
    if capacity is None:
        return tuple(candidates)
    training = [one for one in candidates if not is_certain(one.kind, one.wanted_next)]
    left = shed(_waiting(connection, run_id, training, now), capacity)
    return tuple(replace(one, shed=True) if one.job_id in left else one for one in candidates)


def is_certain(kind: JobKind, wanted_next: datetime | None) -> bool:
    """Return whether a job is never left for the next night: a survey, and what an operator wants next."""
    return kind is JobKind.SURVEY or wanted_next is not None


def scarce_seconds(
    queued: Iterable[tuple[bool, float | None, int]],
    busy_seconds: float,
    trainers: int,
    closes: datetime,
    now: datetime,
) -> float | None:
    """Return for how many seconds the queued cells can be worked on before the window closes.

    None where they all fit, where no trainer is alive, and where some duration is unknown.

    Parameters
    ----------
    queued : iterable of (bool, float or None, int)
        Whether jobs come first in any case (`is_certain`), what each is expected to take, and how many they
        are: all queued jobs of the run.
    busy_seconds, trainers, closes, now
        As for `marked`.
    """
    capacity = trainers * (closes - now).total_seconds() - busy_seconds
    needed, known = 0.0, trainers > 0
    for certain, seconds, count in queued:
        if certain:
            capacity -= count * (seconds or 0.0)
        elif seconds is None:
            known = False
        else:
            needed += count * seconds
    return capacity if known and needed > capacity else None


def _waiting(
    connection: Connection, run_id: int, training: Sequence[Candidate], now: datetime
) -> list[Waiting]:
    cell = (jobs.c.symbol, jobs.c.timeframe, jobs.c.horizon)
    queued = select(jobs.c.id, *cell).where(jobs.c.run_id == run_id, jobs.c.state == JobState.QUEUED)
    cells = {row.id: (row.symbol, row.timeframe, row.horizon) for row in connection.execute(queued)}
    before = select(func.max(jobs.c.run_id)).where(jobs.c.run_id < run_id, jobs.c.auc.is_not(None))
    last = select(*cell, jobs.c.auc).where(jobs.c.run_id == before.scalar_subquery(), jobs.c.auc.is_not(None))
    aucs = {(row.symbol, row.timeframe, row.horizon): row.auc for row in connection.execute(last)}
    champions = champion_moments(connection)
    found = []
    for one in training:
        key = cells[one.job_id]
        since = champions.get(key)
        days = None if since is None else (now - since).total_seconds() / DAY_SECONDS
        found.append(Waiting(one.job_id, one.seconds or 0.0, days, one.volume, aucs.get(key)))
    return found
