"""Each host is looked at every few seconds: how many of its trainers may work at once is decided anew."""

from __future__ import annotations

import logging
from dataclasses import asdict

from sqlalchemy import update

from common.protocol.jobs import JobState
from common.settings.night import NightSettings
from coordinator.housekeeping.duty import Duty, Turn
from coordinator.policy.concurrency import Limit, begin, look
from coordinator.queue.concurrency import load_of, read_limits
from coordinator.queue.snapshot import read_live
from coordinator.store.database import Database, Transaction
from coordinator.store.rows import JOBS, running_run
from coordinator.store.tables import hosts, jobs

logger = logging.getLogger(__name__)


class Parallelism(Duty):
    """Decides the limits of the hosts.

    Parameters
    ----------
    database : Database
        Where trainers and limits are kept.
    settings : NightSettings
        Whether numbers are adapted, and the memory threshold.
    """

    name = "how many trainers may work"
    interval_seconds = 2.0

    def __init__(self, database: Database, settings: NightSettings) -> None:
        self.database = database
        self.settings = settings

    def run(self, turn: Turn) -> None:
        """Look at each host."""
        del turn
        with self.database.write() as tx:
            changed = look_at_hosts(tx, self.settings)
        for name, limit in changed:
            logger.info("host %s: %d trainers may work at once: %s", name, limit.trainers, limit.reason)


def look_at_hosts(tx: Transaction, settings: NightSettings) -> list[tuple[str, Limit]]:
    """Decide for each host how many of its trainers may work, and return those whose number has changed.

    While no job is queued the limit holds nobody back, and what is seen then says nothing about it.
    """
    run = running_run(tx)
    if run is None or not settings.parallelism.adaptive:
        return []
    queued = JOBS.where(jobs.c.run_id == run.id, jobs.c.state == JobState.QUEUED).limit(1)
    if tx.connection.execute(queued).first() is None:
        return []
    live, leases = read_live(tx.connection, tx.now, settings)
    names = sorted({trainer.host for trainer in live})
    limits = read_limits(tx.connection, names)
    changed = []
    for name in names:
        here = [trainer for trainer in live if trainer.host == name]
        load = load_of(here, [lease for lease in leases if lease.host == name], settings, tx.now)
        if load is None:
            continue
        before = limits.get(name)
        if before is None:
            limit = begin(load, settings.adapts_to_cores, tx.now)
            tx.connection.execute(hosts.insert().values(name=name, **asdict(limit)))
        else:
            limit = look(before, load, settings.memory_threshold, settings.adapts_to_cores, tx.now)
            tx.connection.execute(update(hosts).where(hosts.c.name == name).values(**asdict(limit)))
        if before is None or before.trainers != limit.trainers:
            changed.append((name, limit))
    return changed
