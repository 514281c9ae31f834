"""What of a run is left for the next night, as the database and the clock have it now."""

from __future__ import annotations

from collections.abc import Sequence
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
    capacity = trainers * (closes - now).total_seconds() - busy_seconds
    surveys = [one.seconds for one in candidates if one.kind is JobKind.SURVEY]
    wanted = [one.seconds for one in candidates if one.wanted_next is not None]
    capacity -= sum(seconds for seconds in wanted if seconds is not None)
    training = [one for one in candidates if one.kind is JobKind.TRAINING and one.wanted_next is None]
    capacity -= sum(seconds for seconds in surveys if seconds is not None)
    known = [one.seconds for one in training if one.seconds is not None]
    if trainers < 1 or len(known) < len(training) or sum(known) <= capacity:
        return tuple(candidates)
    left = shed(_waiting(connection, run_id, training, now), capacity)
    return tuple(replace(one, shed=True) if one.job_id in left else one for one in candidates)


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
