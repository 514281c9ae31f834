"""Everything that the coordinator reports to Prometheus: its own counts, and facts read at each scrape."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client.registry import Collector

from common.metrics import declarations as metrics
from common.metrics.exposition import Readings
from common.out_folder import OutFolder
from common.settings.night import NightSettings
from coordinator.blobs.uploads import Uploads
from coordinator.metrics.earlier_runs import EarlierRuns
from coordinator.metrics.facts import read_facts
from coordinator.metrics.machine import Machine
from coordinator.metrics.models import read_models
from coordinator.metrics.night import (
    read_attempts,
    read_coordinators,
    read_queue,
    read_run,
    read_trainers,
    read_window,
)
from coordinator.metrics.process import read_build
from coordinator.metrics.symbols import SymbolSeries
from coordinator.policy.uploading import NOTHING_WAITS
from coordinator.views.forecast import Forecast
from coordinator.views.ledger import Ledger

READ = (read_run, read_window, read_queue, read_attempts, read_trainers, read_coordinators, read_models)


class NightCollector(Collector):
    """Reads the facts of the night and of the machine, in one transaction a scrape.

    Parameters
    ----------
    ledger : Ledger
        Where the facts are.
    settings : NightSettings
        The window, and the length of a lease.
    out : Path
        The out folder.
    forecast : Forecast
        Estimates the end of the run.
    version : str
        Version of this program.
    uploads : Uploads, optional
        Sends to an object store, where one is configured.
    """

    def __init__(
        self,
        ledger: Ledger,
        settings: NightSettings,
        out: Path,
        forecast: Forecast,
        version: str,
        uploads: Uploads | None = None,
    ) -> None:
        self.ledger = ledger
        self.settings = settings
        self.progress_file = OutFolder(out).progress
        self.forecast = forecast
        self.version = version
        self.uploads = uploads
        self.earlier = EarlierRuns()
        self.symbols = SymbolSeries()
        self.machine = Machine(ledger.database, out)

    def collect(self) -> Iterator[Any]:
        """Yield the families of what is true now."""
        readings = Readings()
        with self.ledger.read() as (tx, book):
            facts = read_facts(tx, book, self.settings, self.forecast, self.earlier, self.progress_file)
            self.machine.read(readings, tx)
            for read in READ:
                read(readings, facts)
            kept = self.symbols.families(facts)
        readings.info(metrics.PAGE_INFO, url=self.settings.dashboard.address)
        read_build(readings, self.version)
        standing = NOTHING_WAITS if self.uploads is None else self.uploads.standing()
        readings.put(metrics.UNSENT, float(standing.waiting))
        readings.put(metrics.UNSENT_OLDEST, standing.oldest_seconds(facts.now))
        yield from readings.families()
        yield from kept
