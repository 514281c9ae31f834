"""When the run will end: one estimate for the status, the metrics and the progress file."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

from common.protocol.runs import RunState, RunView
from common.protocol.status import EtaView
from common.settings.night import NightSettings
from coordinator.policy.admission import ranked
from coordinator.policy.eta import UNKNOWN, estimate
from coordinator.queue.history import SURVEY
from coordinator.queue.snapshot import Snapshot, read_snapshot
from coordinator.store.database import Database, Transaction
from coordinator.store.rows import JOBS, running_run
from coordinator.store.tables import jobs
from coordinator.views.runs import run_view

KEPT_SECONDS = 5.0
"""How long an estimate is kept before it is made again, unless jobs or trainers change."""


class Forecast:
    """Estimates the end of the run, and keeps the last estimate for a few seconds.

    Parameters
    ----------
    database : Database
        Where everything is kept.
    settings : NightSettings
        What decides the order of the jobs.
    """

    def __init__(self, database: Database, settings: NightSettings) -> None:
        self.database = database
        self.settings = settings
        self._kept: tuple[Any, datetime, EtaView] | None = None
        self._estimating = threading.Lock()

    def eta(self) -> EtaView:
        """Return when the unfinished run will end."""
        with self.database.read() as tx:
            run = running_run(tx)
            snapshot = read_snapshot(tx.connection, run.id if run else None, tx.now, self.settings)
            return self.eta_of(tx, snapshot, None if run is None else run_view(tx, run))

    def eta_of(self, tx: Transaction, snapshot: Snapshot, run: RunView | None) -> EtaView:
        """Return when a run will end whose snapshot was read in this transaction."""
        if run is None or run.state is not RunState.RUNNING:
            return UNKNOWN
        if run.paused is not None:
            return EtaView(p50=None, p90=None, paused=True)
        key = (run.id, run.surveys, run.training, snapshot.workers)
        with self._estimating:
            if self._kept is not None:
                known, made, eta = self._kept
                if known == key and tx.now - made < timedelta(seconds=KEPT_SECONDS):
                    return eta
            eta = _estimate(tx, snapshot)
            self._kept = (key, tx.now, eta)
            return eta


def _estimate(tx: Transaction, snapshot: Snapshot) -> EtaView:
    leased = {lease.job_id: (tx.now - lease.started).total_seconds() for lease in snapshot.leases}
    history = snapshot.history
    running = [
        (history.seconds(row.timeframe or SURVEY, row.rows), leased[row.id])
        for row in tx.connection.execute(JOBS.where(jobs.c.id.in_(list(leased))))
    ]
    queued = [
        (candidate.seconds, candidate.delay_seconds(tx.now))
        for candidate in ranked(snapshot.candidates, "", snapshot.terms)
    ]
    seed = len(running) + len(queued)
    return estimate(running, queued, history.residuals(), snapshot.workers, tx.now, seed)
