"""The trainers one by one, with what each last said of its host and its disk, and what keeps it idle."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from common.protocol.status import HostView, TrainerState, TrainerView
from common.settings.night import NightSettings
from coordinator.policy.window import night_at
from coordinator.queue.snapshot import read_snapshot
from coordinator.store.database import Database
from coordinator.store.rows import running_run
from coordinator.views.trainers import host_views, known_trainers, trainer_views

ORDER = (TrainerState.WORKING, TrainerState.IDLE, TrainerState.LOST)


@dataclass(frozen=True)
class RosterEntry:
    """A trainer.

    `cpu_ratio` and `memory_ratio` are shares of its host in use, 0 to 1, and `disk_free_bytes` is what its
    disk had left, all as it said at its last claim (None: it did not say). `pauses` are sentences about
    what keeps it from getting jobs.
    """

    view: TrainerView
    registered: datetime
    cpu_ratio: float
    memory_ratio: float | None
    disk_free_bytes: int | None
    pauses: tuple[str, ...]


@dataclass(frozen=True)
class RosterNow:
    """All trainers at one moment: those at work first, and their hosts."""

    time: datetime
    entries: tuple[RosterEntry, ...]
    hosts: tuple[HostView, ...] = ()


class Roster:
    """Reads the trainers.

    Parameters
    ----------
    database : Database
        Where everything is kept; this object holds no state.
    settings : NightSettings
        What decides why a trainer gets no job.
    """

    def __init__(self, database: Database, settings: NightSettings) -> None:
        self.database = database
        self.settings = settings

    def read(self) -> RosterNow:
        """Return the trainers as they are now."""
        with self.database.read() as tx:
            run = running_run(tx)
            snapshot = read_snapshot(tx.connection, run.id if run else None, tx.now, self.settings)
            night = night_at(self.settings.window, tx.now)
            known = known_trainers(tx, snapshot)
            common = [snapshot.held_back] if snapshot.held_back else []
            if not night.open:
                common.append(f"the night is closed until {night.opens:%Y-%m-%d %H:%M} UTC")
            entries = []
            for one, view in zip(known, trainer_views(tx, known), strict=True):
                row = one.row
                own = [view.note] if view.note and view.state is TrainerState.IDLE else []
                if row.paused_until is not None and row.paused_until > tx.now:
                    until = f"{row.paused_until:%H:%M:%S} UTC"
                    own.append(
                        f"it gets no job until {until}, because one could not be written: {row.paused_by}"
                    )
                idle = common if view.state is TrainerState.IDLE else []
                used = row.memory_total_bytes - row.memory_available_bytes
                entries.append(
                    RosterEntry(
                        view=view,
                        registered=row.registered,
                        cpu_ratio=row.cpu_ratio,
                        memory_ratio=used / row.memory_total_bytes if row.memory_total_bytes else None,
                        disk_free_bytes=row.disk_free_bytes,
                        pauses=tuple(dict.fromkeys([*own, *idle])),
                    )
                )
            entries.sort(key=lambda entry: (ORDER.index(entry.view.state), entry.view.name))
            return RosterNow(tx.now, tuple(entries), host_views(snapshot.hosts.values(), self.settings))
