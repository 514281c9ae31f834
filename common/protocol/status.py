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

from common.frozen import Frozen
from common.protocol.alerts import AlertView
from common.protocol.job_views import JobView
from common.protocol.reports import Scores
from common.protocol.runs import RunView
from common.protocol.trainers import LimitKind, Progress


class SystemView(Frozen):
    """The coordinator's own machine."""

    cpu_count: int
    """Number of CPUs."""
    cpu_ratio: float
    """Share of the CPU time in use, 0 to 1."""
    memory_total_bytes: int
    """Memory of the machine, in bytes."""
    memory_available_bytes: int
    """How much of it can be had without swapping, in bytes."""
    memory_ratio: float
    """Share of the memory in use, 0 to 1."""
    disk_total_bytes: int
    """Size of the disk that holds the out folder, in bytes."""
    disk_free_bytes: int
    """How much of it is free, in bytes."""


class NightView(Frozen):
    """The window of the night, in which jobs are handed out."""

    open: bool
    """Whether jobs are handed out now."""
    opens: datetime | None
    """When the night opens next; null while it is open, and without a window."""
    closes: datetime | None
    """When it closes; null while it is closed, and without a window."""


class EtaView(Frozen):
    """When the run will end, by measured durations; null while too little is known."""

    p50: datetime | None
    """It ends as likely before this moment as after it."""
    p90: datetime | None
    """It ends before this moment with a probability of 90 %."""
    paused: bool = False
    """Whether no end can be told, because an operator has paused the run."""


class SpeedView(Frozen):
    """How fast training jobs are done, lately in a run that goes on; null before the first has ended."""

    jobs_per_hour: float | None
    """Training jobs that succeed in an hour."""
    rows_per_second: float | None
    """Bars of candles in a second."""


class ScoreView(Frozen):
    """The scores of one trained cell."""

    job_id: int
    """The job's id."""
    symbol: str
    """The symbol."""
    timeframe: str
    """Length of a bar, such as `1h`."""
    horizon: int
    """Bars ahead."""
    scores: Scores
    """Its out-of-fold scores."""
    p_value: float
    """Probability of such a score by luck, 0 to 1."""
    finished: datetime
    """When it was trained."""


class TrainerState(StrEnum):
    """What a trainer is doing; LOST means that it fell silent while it held a job, which was taken back.

    One that was stopped gave its job back: it is gone, and shown no more.
    """

    IDLE = "idle"
    WORKING = "working"
    LOST = "lost"


class TrainerView(Frozen):
    """A trainer; `note` says in words why an idle one got no job at its last claim, or what it cannot write.

    `blocked_since` is since when its disk bars it: it cannot be written, for example because it is full, or
    it has too little room for the jobs that are left; None if it does not.
    """

    name: str
    """Its name."""
    host: str
    """Its host; trainers with the same one share its memory."""
    state: TrainerState
    """What it is doing."""
    job_id: int | None
    """Id of the job that it works on; null if none."""
    job: str
    """Name of that job, such as `BTCUSDT_1h_H3`; empty if none."""
    progress: Progress | None
    """How far that job is."""
    note: str
    """Why an idle one got no job at its last claim, in words; empty otherwise."""
    blocked_since: datetime | None
    """Since when its disk cannot be written, or has too little room for what is left; null if neither."""
    limit_kind: LimitKind
    """Who holds it to its memory limit."""
    memory_limit_bytes: int
    """What a job of it may take, in bytes."""
    jobs_finished: int
    """Jobs that it has finished since its process was started."""
    last_seen: datetime
    """When it last reported."""


class HostView(Frozen):
    """A host of trainers, and how many of them may work at once, which is decided every few seconds."""

    name: str
    """The host, as its trainers name it."""
    trainers: int
    """How many of its trainers are alive."""
    working: int
    """How many of them have a job."""
    limit: int | None
    """How many may work at once, which may be more than there are; null where all may, because its trainers
    do not say what holds them up or `parallelism.adaptive` is off."""
    reason: str
    """Why so many, in words; empty where there is no limit."""
    asked_for: bool = False
    """Whether `num_workers` asks for a number of trainers, so that memory alone may lower the limit."""


class StatusDocument(Frozen):
    """The whole night in one document."""

    time: datetime
    """Now, on the coordinator's clock."""
    version: str
    """Version of the coordinator's program."""
    system: SystemView
    """The coordinator's machine."""
    night: NightView
    """The window of the night."""
    run: RunView | None
    """The unfinished run, or else the last one; everything about jobs is about it. Null if there is none."""
    eta: EtaView
    """When the run will end."""
    speed: SpeedView
    """How fast the run goes."""
    best: ScoreView | None
    """The cell with the highest AUC; null before the first has ended."""
    last: ScoreView | None
    """The cell that was trained last; null before the first has ended."""
    trainers: tuple[TrainerView, ...]
    """The trainers, by name."""
    hosts: tuple[HostView, ...] = ()
    """Their hosts, by name."""
    recent_jobs: tuple[JobView, ...]
    """The jobs that changed last, the newest first."""
    alerts: tuple[AlertView, ...] = ()
    """Those that fire, then those that ended lately."""
    warnings: tuple[str, ...]
    """Sentences for the operator."""
    waiting_settings: tuple[str, ...] = ()
    """What has changed in the configuration and is not in force yet, in words."""


class Health(Frozen):
    """The process is up (healthz), or able to do its work (readyz)."""

    status: Literal["ok"]
    """Always `ok`; otherwise the answer is a problem."""
    detail: str
    """What was found, in words."""
