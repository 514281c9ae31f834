"""What a claim is decided on, as the database has it: queued jobs, trainers, hosts and the history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, or_, select

from common.protocol.jobs import JobKind, JobState
from common.protocol.trainers import HostPressure, LimitKind, Progress
from common.settings.night import NightSettings
from coordinator.policy.admission import Candidate, Host, Seat, Terms
from coordinator.policy.disk import Disk, matrix_bytes
from coordinator.policy.window import night_at
from coordinator.queue.breakers import read_breakers
from coordinator.queue.history import SURVEY, History, read_history
from coordinator.queue.shedding import marked
from coordinator.store.rows import (
    OPEN_ATTEMPTS,
    PRESENT_TRAINERS,
    AttemptRow,
    RunRow,
    TrainerRow,
    all_of,
)
from coordinator.store.tables import jobs, runs, symbols


@dataclass(frozen=True)
class Snapshot:
    """The facts at one moment.

    `leases` are the open attempts, `live` the trainers whose heartbeat came in time. `held_back` says why
    nothing of the run is handed out to anybody, for an operator wants it so; it is empty otherwise.
    """

    now: datetime
    settings: NightSettings
    candidates: tuple[Candidate, ...]
    live: tuple[TrainerRow, ...]
    leases: tuple[AttemptRow, ...]
    hosts: dict[str, Host]
    history: History
    held_back: str = ""

    @property
    def blocked(self) -> tuple[TrainerRow, ...]:
        """The live trainers that get no job because their disks have no room; their notes say why."""
        return tuple(trainer for trainer in self.live if trainer.blocked_since is not None)

    @property
    def terms(self) -> Terms:
        """What admission depends on besides jobs and seat."""
        return Terms(
            now=self.now,
            max_wait_seconds=self.settings.max_wait_seconds,
            threshold=self.settings.memory_threshold,
            limits=tuple(trainer.memory_limit_bytes for trainer in self.live),
            hosts=self.hosts,
        )

    @property
    def shed_jobs(self) -> tuple[int, ...]:
        """The jobs that do not fit into this night and are left for the next one."""
        return tuple(one.job_id for one in self.candidates if one.shed)

    def seat(self, trainer: TrainerRow, last_symbol: str) -> Seat:
        """Return the seat of a live trainer."""
        return Seat(
            trainer.limit_kind,
            trainer.memory_limit_bytes,
            last_symbol,
            self.hosts[trainer.host],
            Disk(
                trainer.disk_folder,
                trainer.disk_free_bytes,
                trainer.disk_problem,
                trainer.paused_until,
                trainer.paused_by,
            ),
        )


def read_snapshot(
    connection: Connection, run_id: int | None, now: datetime, settings: NightSettings
) -> Snapshot:
    """Read the facts about a run (None: there is none) as they are in this transaction."""
    leases = tuple(AttemptRow.of(row) for row in connection.execute(OPEN_ATTEMPTS))
    trainers = [TrainerRow.of(row) for row in connection.execute(PRESENT_TRAINERS)]
    holders = {lease.boot_id for lease in leases}
    oldest = now - timedelta(seconds=settings.lease.seconds)
    live = tuple(one for one in trainers if one.last_seen >= oldest or one.boot_id in holders)
    history = read_history(connection)
    candidates: tuple[Candidate, ...] = ()
    if run_id is not None:
        candidates = _candidates(connection, run_id, now, leases, history)
        closes = night_at(settings.window, now).closes
        if closes is not None:
            busy = _busy_seconds(connection, leases, history, now)
            candidates = marked(connection, run_id, candidates, busy, len(live), closes, now)
    return Snapshot(
        now=now,
        settings=settings,
        candidates=candidates,
        live=live,
        leases=leases,
        hosts={host.name: host for host in _hosts(live, leases)},
        history=history,
        held_back=held_back(connection, run_id) if run_id is not None else "",
    )


def held_back(connection: Connection, run_id: int) -> str:
    """Return in words why an operator wants no job of a run to be handed out, or nothing."""
    return RunRow.of(connection.execute(all_of(runs).where(runs.c.id == run_id)).one()).held_back


def pressure_of(trainer: TrainerRow) -> HostPressure:
    """Return the state of its host that a trainer last reported."""
    return HostPressure(
        memory_total_bytes=trainer.memory_total_bytes,
        memory_available_bytes=trainer.memory_available_bytes,
        cpu_ratio=trainer.cpu_ratio,
    )


def _candidates(
    connection: Connection,
    run_id: int,
    now: datetime,
    leases: tuple[AttemptRow, ...],
    history: History,
) -> tuple[Candidate, ...]:
    of_run = select(symbols.c.symbol, symbols.c.quote_volume).where(symbols.c.run_id == run_id)
    volumes = {row.symbol: row.quote_volume for row in connection.execute(of_run)}
    breakers = read_breakers(connection, run_id)
    leased = [lease.job_id for lease in leases]
    busy = set(
        connection.execute(
            select(jobs.c.symbol).where(jobs.c.id.in_(leased), jobs.c.kind == JobKind.TRAINING)
        ).scalars()
    )
    built = _built(connection, run_id)
    query = (
        select(
            jobs.c.id,
            jobs.c.kind,
            jobs.c.symbol,
            jobs.c.ordinal,
            jobs.c.timeframe,
            jobs.c.rows,
            jobs.c.waiting_since,
            jobs.c.not_before,
            jobs.c.oom_room_bytes,
            jobs.c.wanted_next,
        )
        .where(jobs.c.run_id == run_id, jobs.c.state == JobState.QUEUED)
        .order_by(jobs.c.ordinal)
    )
    expected: dict[tuple[str, int | None], tuple[float | None, int | None]] = {}
    candidates = []
    for row in connection.execute(query):
        job_id, kind, symbol, ordinal, timeframe, rows, since, not_before, room, wanted_next = row
        key = (timeframe or SURVEY, rows)
        if key not in expected:
            expected[key] = history.seconds(*key), history.peak_memory_bytes(*key)
        seconds, peak = expected[key]
        candidates.append(
            Candidate(
                job_id=job_id,
                kind=JobKind(kind),
                symbol=symbol,
                ordinal=ordinal,
                volume=volumes[symbol],
                waiting_since=since,
                not_before=not_before,
                oom_room_bytes=room,
                seconds=seconds,
                peak_bytes=peak,
                rows=rows or 0,
                gate=breakers[symbol].gate(now),
                symbol_busy=symbol in busy,
                disk_bytes=0 if (symbol, timeframe) in built else matrix_bytes(rows or 0),
                parked_until=breakers[symbol].parked_until,
                wanted_next=wanted_next,
            )
        )
    return tuple(candidates)


def _busy_seconds(
    connection: Connection, leases: tuple[AttemptRow, ...], history: History, now: datetime
) -> float:
    """Return how long the running jobs still take, all together; one of unknown duration counts nothing."""
    ran = {lease.job_id: (now - lease.started).total_seconds() for lease in leases}
    query = select(jobs.c.id, jobs.c.timeframe, jobs.c.rows).where(jobs.c.id.in_(list(ran)))
    return sum(
        max(0.0, (history.seconds(row.timeframe or SURVEY, row.rows) or 0.0) - ran[row.id])
        for row in connection.execute(query)
    )


def _built(connection: Connection, run_id: int) -> set[tuple[str, str | None]]:
    """Return the symbols and timeframes of which this run or the one before has begun to train a cell.

    Their feature matrix is there or nearly so. Where it is not, since it was deleted or is of other candles,
    a disk that is too small is found out by writing, as it always can be.
    """
    before = select(func.max(runs.c.id)).where(runs.c.id < run_id).scalar_subquery()
    query = (
        select(jobs.c.symbol, jobs.c.timeframe)
        .distinct()
        .where(or_(jobs.c.run_id == run_id, jobs.c.run_id == before), jobs.c.started.is_not(None))
    )
    return {(symbol, timeframe) for symbol, timeframe in connection.execute(query)}


def _hosts(live: tuple[TrainerRow, ...], leases: tuple[AttemptRow, ...]) -> list[Host]:
    hosts = []
    for name in sorted({trainer.host for trainer in live}):
        here = [trainer for trainer in live if trainer.host == name]
        freshest = max(here, key=lambda trainer: (trainer.memory_total_bytes > 0, trainer.last_seen))
        held = [lease for lease in leases if lease.host == name]
        reported = [Progress.model_validate_json(lease.progress) for lease in held if lease.progress]
        hosts.append(
            Host(
                name=name,
                total_bytes=freshest.memory_total_bytes,
                available_bytes=freshest.memory_available_bytes,
                own_bytes=sum(progress.memory_bytes for progress in reported),
                leases=len(held),
                lone=any(lease.alone for lease in held),
                agent=any(trainer.limit_kind is LimitKind.AGENT for trainer in here),
            )
        )
    return hosts
