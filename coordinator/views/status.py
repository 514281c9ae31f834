"""The whole night in one document: the machine, the run, its end, its trainers, and what to know of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from common.host import host_pressure
from common.protocol.job_views import JobView
from common.protocol.runs import RunState, RunView
from common.protocol.status import ScoreView, SpeedView, StatusDocument, SystemView
from common.settings.night import NightSettings
from coordinator.alerts import present_alerts
from coordinator.policy.eta import UNKNOWN
from coordinator.policy.window import night_at
from coordinator.queue.snapshot import Snapshot
from coordinator.scrapes import Scrapes
from coordinator.store.database import Transaction
from coordinator.store.rows import JOBS, JobRow, newest_run
from coordinator.store.tables import jobs
from coordinator.views.book import Book
from coordinator.views.forecast import Forecast
from coordinator.views.jobs import job_views
from coordinator.views.ledger import Ledger
from coordinator.views.runs import view_of
from coordinator.views.trainers import host_views, known_trainers, trainer_views
from coordinator.views.warnings import night_warnings, progress_warnings, shed_warnings, standing_warnings

RECENT_JOBS = 20
SPEED_JOBS = 50


class Status:
    """Answers what an operator asks most often.

    Parameters
    ----------
    ledger : Ledger
        Where the run is kept.
    settings : NightSettings
        Window, thresholds and bounds.
    out : Path
        The out folder, whose disk is watched.
    version : str
        Version of this program.
    forecast : Forecast
        Estimates the end of the run.
    troubles : callable
        Returns sentences about what the housekeeping could not do.
    scrapes : Scrapes
        Whether Prometheus still watches.
    waiting_settings : callable
        Returns sentences about changed settings that are not in force yet.
    """

    def __init__(
        self,
        ledger: Ledger,
        settings: NightSettings,
        out: Path,
        version: str,
        forecast: Forecast,
        troubles: Callable[[], tuple[str, ...]],
        scrapes: Scrapes,
        waiting_settings: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        self.ledger = ledger
        self.settings = settings
        self.out = out
        self.version = version
        self.forecast = forecast
        self.troubles = troubles
        self.scrapes = scrapes
        self.waiting_settings = waiting_settings
        self._began = ledger.database.clock()
        host_pressure()

    def document(self) -> StatusDocument:
        """Return the night as it is now."""
        with self.ledger.read() as (tx, book):
            return self.look(tx, book)[0]

    def look(self, tx: Transaction, book: Book | None) -> tuple[StatusDocument, Snapshot]:
        """Return the night as a transaction sees it, and its trainers, hosts and leases."""
        run = newest_run(tx)
        unfinished = book if run is not None and run.state is RunState.RUNNING else None
        prospect = self.forecast.prospect(tx.connection, tx.now, unfinished)
        snapshot = prospect.scene
        view = None if run is None or book is None else view_of(tx, run, book)
        night = night_at(self.settings.window, tx.now)
        eta = UNKNOWN if view is None or book is None else self.forecast.eta_of(tx, prospect, book, view)
        known = known_trainers(tx, snapshot)
        system = self._system()
        warnings = standing_warnings(view, system, self.out)
        if view is not None and view.state is RunState.RUNNING:
            warnings += night_warnings(view, night, eta)
            warnings += shed_warnings(_names(tx, prospect.shed))
            warnings += progress_warnings(snapshot, view, known, self._began, prospect.parked)
        document = StatusDocument(
            time=tx.now,
            version=self.version,
            system=system,
            night=night,
            run=view,
            eta=eta,
            speed=_speed(book, view),
            best=_score(tx, book.by_auc if book else []),
            last=_score(tx, book.by_end if book else []),
            trainers=tuple(trainer_views(tx, known)),
            hosts=host_views(snapshot.hosts.values(), self.settings),
            recent_jobs=_recent(tx, book, self.settings),
            alerts=present_alerts(tx),
            warnings=(*warnings, *self.troubles(), *self.scrapes.warnings()),
            waiting_settings=self.waiting_settings(),
        )
        return document, snapshot

    def _system(self) -> SystemView:
        pressure = host_pressure()
        disk = shutil.disk_usage(self.out)
        total, available = pressure.memory_total_bytes, pressure.memory_available_bytes
        return SystemView(
            cpu_count=psutil.cpu_count() or 1,
            cpu_ratio=pressure.cpu_ratio,
            memory_total_bytes=total,
            memory_available_bytes=available,
            memory_ratio=(total - available) / total,
            disk_total_bytes=disk.total,
            disk_free_bytes=disk.free,
        )


def _speed(book: Book | None, run: RunView | None) -> SpeedView:
    """Return the speed of the last jobs of a run that goes on, of all of one that is over."""
    if book is None or run is None or not book.successes:
        return SpeedView(jobs_per_hour=None, rows_per_second=None)
    found = book.successes[-SPEED_JOBS if run.finished is None else 0 :]
    span = found[-1][0] - min(started for _, _, started, _ in found)
    seconds = max(span.total_seconds(), 1e-3)
    rows = sum(rows for *_, rows in found)
    return SpeedView(jobs_per_hour=len(found) / seconds * 3600, rows_per_second=rows / seconds)


def _names(tx: Transaction, job_ids: tuple[int, ...]) -> list[str]:
    if not job_ids:
        return []
    query = JOBS.where(jobs.c.id.in_(job_ids)).order_by(jobs.c.ordinal)
    return [JobRow.of(row).cell.name for row in tx.connection.execute(query)]


def _score(tx: Transaction, ordered: Sequence[tuple[Any, int, int]]) -> ScoreView | None:
    if not ordered:
        return None
    job_id = ordered[-1][-1]
    row = tx.connection.execute(JOBS.where(jobs.c.id == job_id)).one()
    return ScoreView.of(JobRow.of(row), job_id=job_id)


def _recent(tx: Transaction, book: Book | None, settings: NightSettings) -> tuple[JobView, ...]:
    newest = [job_id for _, job_id in reversed(book.by_change[-RECENT_JOBS:])] if book is not None else []
    rows = {row.id: JobRow.of(row) for row in tx.connection.execute(JOBS.where(jobs.c.id.in_(newest)))}
    return tuple(job_views(tx, [rows[job_id] for job_id in newest], settings))
