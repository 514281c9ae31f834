"""The whole night in one document: the machine, the run, its end, its trainers, and what to know of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Select, desc, select

from common.host import host_pressure
from common.protocol.job_views import JobView, Outcome
from common.protocol.jobs import JobKind, JobState
from common.protocol.runs import RunState, RunView
from common.protocol.status import ScoreView, SpeedView, StatusDocument, SystemView
from common.settings.night import NightSettings
from coordinator.alerts import present_alerts
from coordinator.policy.window import night_at
from coordinator.queue.snapshot import Snapshot, read_snapshot
from coordinator.scrapes import Scrapes
from coordinator.store.database import Database, Transaction
from coordinator.store.rows import JOBS, JobRow, newest_run
from coordinator.store.tables import attempts, jobs
from coordinator.views.forecast import Forecast
from coordinator.views.jobs import job_views
from coordinator.views.runs import run_view
from coordinator.views.trainers import host_views, known_trainers, trainer_views
from coordinator.views.warnings import night_warnings, progress_warnings, shed_warnings, standing_warnings

RECENT_JOBS = 20
SPEED_JOBS = 50


class Status:
    """Answers what an operator asks most often.

    Parameters
    ----------
    database : Database
        Where everything is kept.
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
        database: Database,
        settings: NightSettings,
        out: Path,
        version: str,
        forecast: Forecast,
        troubles: Callable[[], tuple[str, ...]],
        scrapes: Scrapes,
        waiting_settings: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        self.database = database
        self.settings = settings
        self.out = out
        self.version = version
        self.forecast = forecast
        self.troubles = troubles
        self.scrapes = scrapes
        self.waiting_settings = waiting_settings
        self._began = database.clock()
        host_pressure()

    def document(self) -> StatusDocument:
        """Return the night as it is now."""
        with self.database.read() as tx:
            return self.look(tx)[0]

    def look(self, tx: Transaction) -> tuple[StatusDocument, Snapshot]:
        """Return the night as a transaction sees it, and what claims are decided on."""
        run = newest_run(tx)
        unfinished = run.id if run is not None and run.state is RunState.RUNNING else None
        snapshot = read_snapshot(tx.connection, unfinished, tx.now, self.settings)
        view = None if run is None else run_view(tx, run)
        night = night_at(self.settings.window, tx.now)
        eta = self.forecast.eta_of(tx, snapshot, view)
        known = known_trainers(tx, snapshot)
        system = self._system()
        warnings = standing_warnings(view, system, self.out)
        if view is not None and view.state is RunState.RUNNING:
            warnings += night_warnings(view, night, eta)
            warnings += shed_warnings(_names(tx, snapshot.shed_jobs))
            warnings += progress_warnings(snapshot, view, known, self._began)
        document = StatusDocument(
            time=tx.now,
            version=self.version,
            system=system,
            night=night,
            run=view,
            eta=eta,
            speed=_speed(tx, view),
            best=_score(tx, view, desc(jobs.c.auc)),
            last=_score(tx, view, desc(jobs.c.finished)),
            trainers=tuple(trainer_views(tx, known)),
            hosts=host_views(snapshot.hosts.values(), self.settings),
            recent_jobs=_recent(tx, view, self.settings),
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


def _speed(tx: Transaction, run: RunView | None) -> SpeedView:
    if run is None:
        return SpeedView(jobs_per_hour=None, rows_per_second=None)
    query = (
        select(attempts.c.started, attempts.c.ended, jobs.c.rows)
        .join_from(attempts, jobs, attempts.c.job_id == jobs.c.id)
        .where(jobs.c.run_id == run.id, jobs.c.kind == JobKind.TRAINING)
        .where(attempts.c.outcome == Outcome.SUCCEEDED)
        .order_by(attempts.c.ended.desc())
        .limit(SPEED_JOBS)
    )
    found = tx.connection.execute(query).all()
    if not found:
        return SpeedView(jobs_per_hour=None, rows_per_second=None)
    span = max(row.ended for row in found) - min(row.started for row in found)
    seconds = max(span.total_seconds(), 1e-3)
    return SpeedView(
        jobs_per_hour=len(found) / seconds * 3600, rows_per_second=sum(row.rows for row in found) / seconds
    )


def _names(tx: Transaction, job_ids: tuple[int, ...]) -> list[str]:
    if not job_ids:
        return []
    query = JOBS.where(jobs.c.id.in_(job_ids)).order_by(jobs.c.ordinal)
    return [JobRow.of(row).cell.name for row in tx.connection.execute(query)]


def _score(tx: Transaction, run: RunView | None, order: Any) -> ScoreView | None:
    if run is None:
        return None
    query: Select[Any] = JOBS.where(jobs.c.run_id == run.id, jobs.c.auc.is_not(None)).order_by(
        order, jobs.c.ordinal
    )
    row = tx.connection.execute(query.limit(1)).first()
    if row is None:
        return None
    return ScoreView.of(JobRow.of(row), job_id=row.id)


def _recent(tx: Transaction, run: RunView | None, settings: NightSettings) -> tuple[JobView, ...]:
    if run is None:
        return ()
    touched = JOBS.where(
        jobs.c.run_id == run.id, jobs.c.started.is_not(None) | (jobs.c.state != JobState.QUEUED)
    )
    query = touched.order_by(jobs.c.changed.desc(), jobs.c.id.desc()).limit(RECENT_JOBS)
    return tuple(job_views(tx, [JobRow.of(row) for row in tx.connection.execute(query)], settings))
