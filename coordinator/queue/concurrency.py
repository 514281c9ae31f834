"""The limits of the hosts, as the database has them, and what their trainers last said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, bindparam

from common.protocol.trainers import HostLoad, LimitKind
from common.settings.night import NightSettings
from coordinator.policy.concurrency import Limit, Load, begin
from coordinator.store.documents import read_document
from coordinator.store.prepared import Prepared
from coordinator.store.rows import AttemptRow, TrainerRow, all_of
from coordinator.store.tables import hosts

THROTTLED_RATIO = 0.1
"""In so large a share of its periods a quota must hold the trainers back to count as what limits them."""

_NAMED = all_of(hosts).where(hosts.c.name.in_(bindparam("names", expanding=True)))
# A claim asks for one, and a list makes a statement three times as slow.
_ONE = Prepared(all_of(hosts).where(hosts.c.name == bindparam("name")))


def read_limits(connection: Connection, names: Sequence[str]) -> dict[str, Limit]:
    """Return the limits that are kept of some hosts, by host."""
    found = {}
    rows: Iterable[Any]
    if len(names) == 1:
        rows = _ONE.on(connection, {"name": names[0]})
    else:
        rows = connection.execute(_NAMED, {"names": names})
    for row in rows:
        values = dict(row._mapping)
        name = values.pop("name")
        found[name] = Limit(**values)
    return found


def limit_of(
    kept: Limit | None,
    here: Sequence[TrainerRow],
    held: Sequence[AttemptRow],
    settings: NightSettings,
    now: datetime,
) -> Limit | None:
    """Return the limit of a host; None where no trainer says what holds it up, or an operator wants none.

    Parameters
    ----------
    kept : Limit or None
        What is kept of the host; None: it begins.
    here : sequence of TrainerRow
        Its live trainers.
    held : sequence of AttemptRow
        The open attempts on it.
    settings : NightSettings
        Whether numbers are adapted, and the length of a lease.
    now : datetime
        An aware time.
    """
    if not settings.parallelism.adaptive or not any(trainer.load for trainer in here):
        return None
    # A trainer that has just come is not held until the next look, where nothing else holds it.
    if kept is not None and (settings.adapts_to_cores or kept.cut is not None or kept.trainers >= len(here)):
        return kept
    load = load_of(here, held, settings, now)
    return None if load is None else begin(load, settings.adapts_to_cores, now)


def load_of(
    here: Sequence[TrainerRow], held: Sequence[AttemptRow], settings: NightSettings, now: datetime
) -> Load | None:
    """Return what the trainers of one host last said of it; None where none says it."""
    told = [
        (trainer.load_seen, trainer, load)
        for trainer in here
        if trainer.load_seen is not None
        and (load := read_document(HostLoad, trainer.load, f"the load of {trainer.name}"))
    ]
    if not told:
        return None
    _, latest, host = max(told, key=itemgetter(0))
    holders = {lease.boot_id for lease in held}
    # What was said before the present job is of another one, but still of this host.
    oldest = now - timedelta(seconds=settings.lease.seconds)
    at_work = [load for seen, trainer, load in told if trainer.boot_id in holders and seen >= oldest]
    ran = [load.run_ratio for load in at_work if load.run_ratio is not None]
    waited = [load.wait_ratio for load in at_work if load.wait_ratio is not None]
    # A control group that is the trainer's own bounds it alone; otherwise its trainers share what they see.
    shared = latest.limit_kind is LimitKind.AGENT
    return Load(
        cores=host.cores if shared else float(host.cpus),
        present=len(here),
        working=len(held),
        busy_cores=latest.cpu_ratio * host.cpus,
        memory_ratio=1.0 - latest.memory_available_bytes / max(1, latest.memory_total_bytes),
        run_ratio=sum(ran) / len(ran) if ran else None,
        wait_ratio=sum(waited) / len(waited) if waited else None,
        cpu_wait=host.cpu_pressure,
        memory_wait=host.memory_pressure,
        load_average=host.load_average,
        throttled=shared
        and any(load.throttled_ratio > THROTTLED_RATIO for load in at_work if load.run_ratio is not None),
    )
