"""What a claim is decided on, as the database has it: queued jobs, trainers, hosts and the history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, or_, select

from common.protocol.trainers import HostPressure, LimitKind
from common.settings.night import NightSettings
from coordinator.policy.admission import Candidate, Host, Seat, Terms
from coordinator.policy.disk import Disk
from coordinator.policy.window import night_at
from coordinator.queue.candidates import Candidates
from coordinator.queue.concurrency import limit_of, read_limits
from coordinator.queue.history import SURVEY, History, read_history
from coordinator.queue.shedding import marked
from coordinator.store.prepared import Prepared
from coordinator.store.rows import (
    HEADS,
    OPEN_ATTEMPTS,
    PRESENT_TRAINERS,
    AttemptRow,
    RunHead,
    TrainerRow,
)
from coordinator.store.tables import attempts, jobs, runs, trainers

_OF_HOST = (
    Prepared(OPEN_ATTEMPTS.where(attempts.c.host == bindparam("of_host"))),
    Prepared(PRESENT_TRAINERS.where(trainers.c.host == bindparam("of_host"))),
)
_OF_ALL = Prepared(OPEN_ATTEMPTS), Prepared(PRESENT_TRAINERS)
_HOLDERS = select(attempts.c.boot_id).where(attempts.c.ended.is_(None))
_HEAD = Prepared(HEADS.where(runs.c.id == bindparam("run")))
_LARGEST_LIMIT = Prepared(
    select(func.max(trainers.c.memory_limit_bytes)).where(
        trainers.c.superseded.is_(None),
        or_(trainers.c.last_seen >= bindparam("oldest"), trainers.c.boot_id.in_(_HOLDERS)),
    )
)


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
    def workers(self) -> int:
        """How many of the live trainers may work at once."""
        return workers(self.hosts.values())

    @property
    def terms(self) -> Terms:
        """What admission depends on besides jobs and seat."""
        return Terms(
            now=self.now,
            max_wait_seconds=self.settings.max_wait_seconds,
            threshold=self.settings.memory_threshold,
            limits=tuple(trainer.memory_limit_bytes for trainer in self.live),
            hosts=self.hosts,
            most_alone_bytes=self.settings.most_alone_bytes,
        )

    @property
    def shed_jobs(self) -> tuple[int, ...]:
        """The jobs that do not fit into this night and are left for the next one."""
        return tuple(one.job_id for one in self.candidates if one.shed)

    def seat(self, trainer: TrainerRow, last_symbol: str) -> Seat:
        """Return the seat of a live trainer."""
        return seat_of(trainer, last_symbol, self.hosts[trainer.host])


def read_snapshot(
    connection: Connection, run_id: int | None, now: datetime, settings: NightSettings
) -> Snapshot:
    """Read the facts about a run (None: there is none) as they are in this transaction."""
    scene = read_scene(connection, run_id, now, settings)
    if run_id is None:
        return scene
    candidates = Candidates(connection, run_id, now, scene.history).all()
    closes = night_at(settings.window, now).closes
    if closes is not None:
        busy = busy_seconds(connection, scene)
        candidates = marked(connection, run_id, candidates, busy, scene.workers, closes, now)
    return replace(scene, candidates=candidates)


def read_scene(
    connection: Connection, run_id: int | None, now: datetime, settings: NightSettings
) -> Snapshot:
    """Read all but the queued jobs: they may be a hundred thousand, and their counts are enough for many."""
    live, leases = read_live(connection, now, settings)
    return Snapshot(
        now=now,
        settings=settings,
        candidates=(),
        live=live,
        leases=leases,
        hosts={host.name: host for host in hosts_of(connection, live, leases, now, settings)},
        history=read_history(connection),
        held_back=held_back(connection, run_id) if run_id is not None else "",
    )


def read_live(
    connection: Connection, now: datetime, settings: NightSettings, host: str | None = None
) -> tuple[tuple[TrainerRow, ...], tuple[AttemptRow, ...]]:
    """Return the live trainers and the leases, of all hosts or of one."""
    open_attempts, present = _OF_ALL if host is None else _OF_HOST
    values = {} if host is None else {"of_host": host}
    leases = tuple(AttemptRow.of(row) for row in open_attempts.on(connection, values))
    found = [TrainerRow.of(row) for row in present.on(connection, values)]
    holders = {lease.boot_id for lease in leases}
    oldest = now - timedelta(seconds=settings.lease.seconds)
    return tuple(one for one in found if one.last_seen >= oldest or one.boot_id in holders), leases


def largest_limit(connection: Connection, now: datetime, settings: NightSettings) -> int:
    """Return the largest memory limit of a live trainer in bytes, of which there is one at least."""
    oldest = now - timedelta(seconds=settings.lease.seconds)
    return int(_LARGEST_LIMIT.on(connection, {"oldest": oldest}).scalar_one())


def seat_of(trainer: TrainerRow, last_symbol: str, host: Host) -> Seat:
    """Return the seat of a trainer on its host."""
    disk = Disk(
        trainer.disk_folder,
        trainer.disk_free_bytes,
        trainer.disk_problem,
        trainer.paused_until,
        trainer.paused_by,
    )
    return Seat(
        trainer.limit_kind,
        trainer.memory_limit_bytes,
        last_symbol,
        host,
        limited=trainer.load is not None,
        disk=disk,
    )


def workers(hosts: Iterable[Host]) -> int:
    """Return how many trainers of some hosts may work at once."""
    return sum(host.trainers if host.limit is None else min(host.trainers, host.limit) for host in hosts)


def held_back(connection: Connection, run_id: int) -> str:
    """Return in words why an operator wants no job of a run to be handed out, or nothing."""
    return RunHead.of(_HEAD.on(connection, {"run": run_id}).one()).held_back


def pressure_of(trainer: TrainerRow) -> HostPressure:
    """Return the state of its host that a trainer last reported."""
    return HostPressure(
        memory_total_bytes=trainer.memory_total_bytes,
        memory_available_bytes=trainer.memory_available_bytes,
        cpu_ratio=trainer.cpu_ratio,
    )


def busy_seconds(connection: Connection, scene: Snapshot) -> float:
    """Return how long the running jobs still take, all together; one of unknown duration counts nothing."""
    ran = {lease.job_id: (scene.now - lease.started).total_seconds() for lease in scene.leases}
    query = select(jobs.c.id, jobs.c.timeframe, jobs.c.rows).where(jobs.c.id.in_(list(ran)))
    return sum(
        max(0.0, (scene.history.seconds(row.timeframe or SURVEY, row.rows) or 0.0) - ran[row.id])
        for row in connection.execute(query)
    )


def hosts_of(
    connection: Connection,
    live: Sequence[TrainerRow],
    leases: Sequence[AttemptRow],
    now: datetime,
    settings: NightSettings,
) -> list[Host]:
    """Return the hosts of the live trainers, by name."""
    names = sorted({trainer.host for trainer in live})
    limits = read_limits(connection, names) if settings.parallelism.adaptive else {}
    hosts = []
    for name in names:
        here = [trainer for trainer in live if trainer.host == name]
        freshest = max(here, key=lambda trainer: (trainer.memory_total_bytes > 0, trainer.last_seen))
        held = [lease for lease in leases if lease.host == name]
        limit = limit_of(limits.get(name), here, held, settings, now)
        reported = [lease.reported for lease in held]
        hosts.append(
            Host(
                name=name,
                total_bytes=freshest.memory_total_bytes,
                available_bytes=freshest.memory_available_bytes,
                own_bytes=sum(progress.memory_bytes for progress in reported if progress),
                leases=len(held),
                lone=any(lease.alone for lease in held),
                agent=any(trainer.limit_kind is LimitKind.AGENT for trainer in here),
                trainers=len(here),
                limit=None if limit is None else limit.trainers,
                limit_reason="" if limit is None else limit.reason,
            )
        )
    return hosts
