"""The whole night in one document: the machine, the run, its end, its trainers, and what to know of them."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Select, desc, select

from common.host import host_pressure
from common.protocol.job_views import Outcome
from common.protocol.jobs import JobKind, JobState
from common.protocol.reports import Scores
from common.protocol.runs import RunState, RunView
from common.protocol.status import (
    EtaView,
    NightView,
    ScoreView,
    SpeedView,
    StatusDocument,
    SystemView,
    TrainerState,
)
from common.settings.night import NightSettings
from coordinator.alerts import present_alerts
from coordinator.policy.admission import pressure_words, ranked
from coordinator.policy.breaker import Gate
from coordinator.policy.eta import estimate
from coordinator.policy.window import night_at
from coordinator.queue.history import SURVEY
from coordinator.queue.snapshot import Outlook, read_outlook
from coordinator.store.database import Database, Transaction
from coordinator.store.rows import JOBS, JobRow, RunRow, all_of
from coordinator.store.tables import attempts, jobs, runs
from coordinator.views.shapes import job_views, run_view, trainer_views
from coordinator.views.trainers import Presence, read_roster

logger = logging.getLogger(__name__)

RECENT_JOBS = 20
SPEED_JOBS = 50
ETA_SECONDS = 5.0
"""For how long an estimate of the end is shown before it is made anew, unless jobs or trainers change."""
LITTLE_DISK_BYTES = 2 * 1024**3
WARM_UP = timedelta(seconds=15)
"""So long after a start nobody misses trainers yet: they are starting too."""


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
    troubles : callable
        Returns sentences about what the housekeeping could not do.
    """

    def __init__(
        self,
        database: Database,
        settings: NightSettings,
        out: Path,
        version: str,
        troubles: Callable[[], tuple[str, ...]],
    ) -> None:
        self.database = database
        self.settings = settings
        self.out = out
        self.version = version
        self.troubles = troubles
        self._estimated: tuple[Any, datetime, EtaView] | None = None
        self._estimating = threading.Lock()
        self._began = database.clock()
        host_pressure()

    def document(self) -> StatusDocument:
        """Return the night as it is now."""
        with self.database.read() as tx:
            row = tx.connection.execute(all_of(runs).order_by(runs.c.id.desc()).limit(1)).first()
            run = None if row is None else RunRow.of(row)
            unfinished = run.id if run is not None and run.state is RunState.RUNNING else None
            outlook = read_outlook(tx.connection, unfinished, tx.now, self.settings)
            view = None if run is None else run_view(tx, run)
            night = night_at(self.settings.window, tx.now)
            eta = self.estimate(tx, outlook, view)
            roster = read_roster(tx, outlook)
            system = self._system()
            return StatusDocument(
                time=tx.now,
                version=self.version,
                system=system,
                night=night,
                run=view,
                eta=eta,
                speed=_speed(tx, view),
                best=_score(tx, view, desc(jobs.c.auc)),
                last=_score(tx, view, desc(jobs.c.finished)),
                trainers=tuple(trainer_views(tx, roster, outlook)),
                recent_jobs=_recent(tx, view, self.settings),
                alerts=present_alerts(tx),
                warnings=(
                    *self._warnings(outlook, view, night, eta, system, roster),
                    *self.troubles(),
                ),
            )

    def eta(self) -> EtaView:
        """Return when the run will end."""
        with self.database.read() as tx:
            row = tx.connection.execute(all_of(runs).where(runs.c.state == RunState.RUNNING)).first()
            run = None if row is None else RunRow.of(row)
            outlook = read_outlook(tx.connection, run.id if run else None, tx.now, self.settings)
            return self.estimate(tx, outlook, None if run is None else run_view(tx, run))

    def estimate(self, tx: Transaction, outlook: Outlook, run: RunView | None) -> EtaView:
        """Return when a run will end, of which the outlook was read in this transaction."""
        if run is None or run.state is not RunState.RUNNING:
            return EtaView(p50=None, p90=None)
        key = (run.id, run.surveys, run.training, len(outlook.live))
        with self._estimating:
            if self._estimated is not None:
                known, made, eta = self._estimated
                if known == key and tx.now - made < timedelta(seconds=ETA_SECONDS):
                    return eta
            eta = _estimate(tx, outlook)
            self._estimated = (key, tx.now, eta)
            return eta

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

    def _warnings(
        self,
        outlook: Outlook,
        run: RunView | None,
        night: NightView,
        eta: EtaView,
        system: SystemView,
        roster: list[Presence],
    ) -> list[str]:
        warnings = []
        if run is not None and run.synthetic:
            warnings.append(f"run {run.id} trains on synthetic candles")
        if system.disk_free_bytes < LITTLE_DISK_BYTES:
            free = system.disk_free_bytes / 1024**3
            warnings.append(f"only {free:.1f} GB are free on the disk of {self.out}")
        if run is None or run.state is not RunState.RUNNING:
            return warnings
        warnings += _night_warnings(night, eta, run)
        if not outlook.live and outlook.now - max(run.created, self._began) > WARM_UP:
            warnings.append("no trainer is alive, so nothing goes on")
        for one in roster:
            if one.state is TrainerState.LOST:
                silence = (outlook.now - one.last_heard).total_seconds()
                what = f"fell silent {silence:.0f} s ago while it held a job"
                warnings.append(f"trainer {one.trainer.name} {what}")
        warnings += [blocked.words for blocked in outlook.blocked.values()]
        threshold = self.settings.memory_threshold
        warnings += [
            f"{pressure_words(host, threshold)}; no new job is handed out there"
            for host in outlook.hosts.values()
            if host.pressed(threshold)
        ]
        parked = sorted({one.symbol for one in outlook.candidates if one.gate is Gate.PARKED})
        warnings += [f"{symbol} is parked, because cell after cell of it failed" for symbol in parked]
        return warnings


def _night_warnings(night: NightView, eta: EtaView, run: RunView) -> list[str]:
    if not night.open:
        return [
            f"the night is closed until {night.opens:%Y-%m-%d %H:%M} UTC; {run.training.queued} cells wait"
        ]
    if night.closes is None or eta.p50 is None or eta.p90 is None or eta.p90 <= night.closes:
        return []
    likely = "will not fit" if eta.p50 > night.closes else "may not fit"
    ends = f"its end is expected at {eta.p50:%H:%M}, and with 90 % by {eta.p90:%H:%M}"
    closes = f"the night, which closes at {night.closes:%H:%M} UTC"
    return [f"the run {likely} into {closes}: {ends}; what is left is carried over"]


def _estimate(tx: Transaction, outlook: Outlook) -> EtaView:
    leased = {lease.job_id: (tx.now - lease.started).total_seconds() for lease in outlook.leases}
    experience = outlook.experience
    running = [
        (experience.seconds(row.timeframe or SURVEY, row.rows), leased[row.id])
        for row in tx.connection.execute(JOBS.where(jobs.c.id.in_(list(leased))))
    ]
    queued = [candidate.seconds for candidate in ranked(outlook.candidates, "", outlook.terms)]
    seed = len(running) + len(queued)
    return estimate(running, queued, experience.residuals(), len(outlook.live), tx.now, seed)


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


def _score(tx: Transaction, run: RunView | None, order: Any) -> ScoreView | None:
    if run is None:
        return None
    query: Select[Any] = JOBS.where(jobs.c.run_id == run.id, jobs.c.auc.is_not(None)).order_by(
        order, jobs.c.ordinal
    )
    row = tx.connection.execute(query.limit(1)).first()
    if row is None:
        return None
    return ScoreView(
        job_id=row.id,
        symbol=row.symbol,
        timeframe=row.timeframe,
        horizon=row.horizon,
        scores=Scores.model_validate_json(row.scores),
        p_value=row.p_value,
        finished=row.finished,
    )


def _recent(tx: Transaction, run: RunView | None, settings: NightSettings) -> tuple[Any, ...]:
    if run is None:
        return ()
    touched = JOBS.where(
        jobs.c.run_id == run.id, jobs.c.started.is_not(None) | (jobs.c.state != JobState.QUEUED)
    )
    query = touched.order_by(jobs.c.changed.desc(), jobs.c.id.desc()).limit(RECENT_JOBS)
    return tuple(job_views(tx, [JobRow.of(row) for row in tx.connection.execute(query)], settings))
