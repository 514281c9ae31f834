"""The coordinator's parts, put together once and handed to every request."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from random import Random

from prometheus_client import CollectorRegistry

from common.metrics.exposition import process_registry
from common.settings.night import NightSettings
from coordinator.alerts import Alerts
from coordinator.housekeeping.loop import Housekeeping
from coordinator.metrics.collector import NightCollector
from coordinator.metrics.process import Measures
from coordinator.queue.queue import Queue
from coordinator.runs.runs import Runs
from coordinator.store.blobs import Artifacts
from coordinator.store.database import Database
from coordinator.views.forecast import Forecast
from coordinator.views.jobs import Listing
from coordinator.views.status import Status


@dataclass(frozen=True)
class Parts:
    """All parts of one coordinator.

    `loopback` says that only this machine can reach it, `trusted_hosts` are its names on a network that is
    trusted like the loopback: on both, reading is open, and a request must name one of them.
    """

    database: Database
    queue: Queue
    runs: Runs
    listing: Listing
    status: Status
    alerts: Alerts
    housekeeping: Housekeeping
    artifacts: Artifacts
    measures: Measures
    registry: CollectorRegistry
    token: str
    loopback: bool
    trusted_hosts: tuple[str, ...] = ()

    @property
    def reading_is_open(self) -> bool:
        """Whether what is only read needs no token."""
        return self.loopback or bool(self.trusted_hosts)


def assemble(
    database: Database,
    settings: NightSettings,
    out: Path,
    token: str,
    loopback: bool,
    random: Random,
    trusted_hosts: tuple[str, ...] = (),
) -> Parts:
    """Put the parts together over a database whose schema is up to date."""
    queue = Queue(database, settings, random)
    forecast = Forecast(database, settings)
    housekeeping = Housekeeping(database, queue, settings, out, forecast)
    registry = process_registry()
    measures = Measures(registry)
    database.took = measures.transaction_took
    registry.register(NightCollector(database, settings, out, forecast, program_version()))
    return Parts(
        database=database,
        queue=queue,
        runs=Runs(database),
        listing=Listing(database, settings),
        status=Status(database, settings, out, program_version(), forecast, housekeeping.troubles),
        alerts=Alerts(database),
        housekeeping=housekeeping,
        artifacts=housekeeping.artifacts,
        measures=measures,
        registry=registry,
        token=token,
        loopback=loopback,
        trusted_hosts=trusted_hosts,
    )


def program_version() -> str:
    """Return the version of this program, as installed."""
    try:
        return version("nighttrain")
    except PackageNotFoundError:
        return f"uninstalled on Python {platform.python_version()}"
