"""The night as operators see it: machine, expected end, trainers, alerts.

GET  /api/status                                 -> StatusDocument
POST /api/alerts                 Alertmanager's webhook, version 4 -> 204
GET  /api/alerts?firing=&limit=&offset=          -> AlertPage, the firing ones first
GET  /metrics                                    -> Prometheus' text exposition
GET  /healthz, /readyz                           -> Health
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from common.jobs import Frozen
from common.messages import LimitKind, Progress
from common.report import Scores
from common.views import JobView, RunView


class SystemView(Frozen):
    """The coordinator's own machine; the disk is the one that holds the out folder."""

    cpu_count: int
    cpu_ratio: float
    memory_total_bytes: int
    memory_available_bytes: int
    memory_ratio: float
    disk_total_bytes: int
    disk_free_bytes: int


class NightView(Frozen):
    """The window of the night: whether jobs are handed out now, and when it changes (None without window)."""

    open: bool
    opens: datetime | None
    closes: datetime | None


class EtaView(Frozen):
    """When the run will end, by measured durations; None while too little is known."""

    p50: datetime | None
    p90: datetime | None


class SpeedView(Frozen):
    """Training jobs an hour and candle rows a second over the run so far; None before the first job ended."""

    jobs_per_hour: float | None
    rows_per_second: float | None


class ScoreView(Frozen):
    """The scores of one trained cell."""

    job_id: int
    symbol: str
    timeframe: str
    horizon: int
    scores: Scores
    p_value: float
    finished: datetime


class TrainerState(StrEnum):
    """What a trainer is doing; LOST means that it fell silent while it held a job, which was taken back.

    One that was stopped gave its job back: it is gone, and shown no more.
    """

    IDLE = "idle"
    WORKING = "working"
    LOST = "lost"


class TrainerView(Frozen):
    """A trainer; `note` says in words why an idle one got no job at its last claim."""

    name: str
    host: str
    state: TrainerState
    job_id: int | None
    job: str
    progress: Progress | None
    note: str
    limit_kind: LimitKind
    memory_limit_bytes: int
    jobs_finished: int
    last_seen: datetime


class AlertView(Frozen):
    """An alert, as Alertmanager told of it; `ends` is None while it fires.

    `name`, `severity`, `summary`, `description` and `runbook` are taken from its labels and annotations.
    `received` is when it was told of last: of one that fires, Alertmanager tells again every few hours.
    """

    id: int
    name: str
    severity: str
    firing: bool
    labels: dict[str, str]
    summary: str
    description: str
    runbook: str
    starts: datetime
    ends: datetime | None
    received: datetime


class AlertPage(Frozen):
    """Alerts: the firing ones first, then those that ended last; `total` counts all that match the filter."""

    total: int
    limit: int
    offset: int
    alerts: tuple[AlertView, ...]


class StatusDocument(Frozen):
    """The whole night in one document.

    `run` is the unfinished run, or else the last one; everything about jobs is about that run. `recent_jobs`
    are the jobs that changed last, the newest first. `alerts` are those that fire, then those that ended
    lately. `warnings` are sentences for the operator.
    """

    time: datetime
    version: str
    system: SystemView
    night: NightView
    run: RunView | None
    eta: EtaView
    speed: SpeedView
    best: ScoreView | None
    last: ScoreView | None
    trainers: tuple[TrainerView, ...]
    recent_jobs: tuple[JobView, ...]
    alerts: tuple[AlertView, ...] = ()
    warnings: tuple[str, ...]


class Health(Frozen):
    """The process is up (healthz), or able to do its work (readyz)."""

    status: Literal["ok"]
    detail: str


class Address(Frozen):
    """Where the coordinator listens: `coordinator.json` in the out folder, written once it is ready."""

    url: str
    pid: int
