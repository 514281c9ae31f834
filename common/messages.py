"""What passes over HTTP between the coordinator, its trainers and its operators; both sides use these models.

Trainers (all below ``/api``, all with the bearer token, all JSON unless said otherwise):

    POST trainers                    TrainerHello    -> Welcome
    POST claims                      ClaimRequest    -> 200 Grant, or 204 with Nighttrain-Reason, Retry-After
    POST leases/{lease}/renewals     Renewal         -> RenewalAnswer
    PUT  leases/{lease}/checkpoint   Checkpoint      -> 204
    PUT  leases/{lease}/artifact     octet-stream, header Nighttrain-Sha256 -> 204
    POST leases/{lease}/finish       Finish          -> 204
    POST leases/{lease}/failure      Failure         -> FailureAnswer
    POST leases/{lease}/release      Release         -> 204

A lease that is no longer held gets 409 (`StaleLeaseError`) from every path below leases/, and nothing is
changed.

Operators (reading needs no token on loopback and on trusted networks; POST needs it):

    POST /api/runs                   RunRequest      -> 201 RunView, or 200 if that night is unfinished
    GET  /api/runs                                   -> RunPage, the newest first
    GET  /api/runs/{run}                             -> RunView
    GET  /api/runs/{run}/results                     -> results.Results, 404 until the run has ended
    POST /api/runs/{run}/cancel                      -> RunView
    GET  /api/jobs?run=&state=&symbol=&timeframe=&horizon=&kind=&limit=&offset= -> JobPage
    GET  /api/jobs/{job}                             -> JobDetail
    GET  /api/status                                 -> StatusDocument
    POST /api/alerts                 Alertmanager's webhook, version 4 -> 204
    GET  /api/alerts?firing=&limit=&offset=          -> AlertPage, the firing ones first
    GET  /metrics                                    -> Prometheus' text exposition
    GET  /healthz, /readyz                           -> Health
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from common.jobs import Cause, Frozen, JobKind, JobState, SurveyPolicy, SurveySpec, TrainingSpec
from common.report import Checkpoint, Manifest, Scores, SurveyReport, TrainingReport
from common.settings import Model, NightSettings, PromoteIf

REASON_HEADER = "Nighttrain-Reason"
SHA256_HEADER = "Nighttrain-Sha256"
MAX_ARTIFACT_BYTES = 16 * 1024 * 1024


class NoWork(StrEnum):
    """Why a claim got nothing."""

    EMPTY = "empty"
    WAITING = "waiting"
    MEMORY_PRESSURE = "memory_pressure"
    NIGHT_CLOSED = "night_closed"
    SYMBOL_PARKED = "symbol_parked"
    TOO_LARGE = "too_large"
    NEEDS_LONE_ROOM = "needs_lone_room"


class RefusalReason(StrEnum):
    """Why a model was not promoted: what it missed."""

    AUC = "auc"
    BRIER = "brier"
    ACCURACY = "accuracy"
    SIGNIFICANCE = "significance"
    CERTIFICATE = "certificate"
    CHAMPION = "champion"


class LimitKind(StrEnum):
    """Who holds a trainer to its memory limit: the kernel's cgroup, or the agent itself."""

    CGROUP = "cgroup"
    AGENT = "agent"


class TrainerHello(Frozen):
    """A trainer introduces itself; leases of the same name under another boot id are given up at once.

    `name` is unique among live trainers and survives a restart; `boot_id` is fresh for each start. `host`
    groups trainers that share memory.
    """

    name: str
    boot_id: str
    host: str
    limit_kind: LimitKind
    memory_limit_bytes: int
    version: str


class Welcome(Frozen):
    """The coordinator's answer: how long a lease lives and how often to renew it, in seconds."""

    lease_seconds: float
    renew_seconds: float
    lost_leases: int


class HostPressure(Frozen):
    """The state of a trainer's host at a claim; within a cgroup limit these are the host's figures still."""

    memory_total_bytes: int
    memory_available_bytes: int
    cpu_ratio: float


class ClaimRequest(Frozen):
    """A trainer asks for work."""

    boot_id: str
    pressure: HostPressure
    last_symbol: str = ""


class Grant(Frozen):
    """A lease on a job.

    `memory_limit_bytes` is what the child may take (larger than the trainer's own limit when it runs alone on
    the host after an out-of-memory). `deadline_seconds` is when a child counts as hung. `checkpoint` holds
    the folds of earlier attempts. `champion` is the promoted model of the cell, if there is one.
    """

    lease_id: str
    job_id: int
    run_id: int
    attempt: int
    spec: Annotated[SurveySpec | TrainingSpec, Field(discriminator="kind")]
    memory_limit_bytes: int
    deadline_seconds: float
    checkpoint: Checkpoint | None
    champion: Manifest | None


class Progress(Frozen):
    """How far a child is: the stage by name, steps done of how many within the job, and memory in bytes."""

    stage: str
    done: int
    total: int
    memory_bytes: int
    peak_memory_bytes: int


class Renewal(Frozen):
    """The heartbeat of a running job."""

    progress: Progress


class Directive(StrEnum):
    """What a trainer shall do with the job whose lease it renewed."""

    CONTINUE = "continue"
    RELEASE = "release"
    CANCEL = "cancel"


class RenewalAnswer(Frozen):
    """The lease now lives for `expires_in_seconds` more; RELEASE means: checkpoint, then give it back."""

    directive: Directive
    expires_in_seconds: float


class Finish(Frozen):
    """A job's result. `artifact_sha256` names the uploaded .pkl of a training job; a survey has none."""

    result: SurveyReport | TrainingReport
    artifact_sha256: str = ""
    seconds: float
    peak_memory_bytes: int


class Failure(Frozen):
    """An attempt that brought no result.

    `message` is one line; `evidence` holds what proves the cause (counters, signal, last log lines or
    traceback). `memory_limit_bytes` is the room that the child had.
    """

    cause: Literal[Cause.ERROR, Cause.CRASH, Cause.TIMEOUT, Cause.OOM, Cause.DATA]
    message: str
    evidence: str
    seconds: float
    peak_memory_bytes: int
    memory_limit_bytes: int


class FailureAnswer(Frozen):
    """What became of the job: queued for another attempt (after `retry_in_seconds`) or failed."""

    state: str
    retry_in_seconds: float | None


class Release(Frozen):
    """A job given back unharmed, free of charge."""

    cause: Literal[Cause.STOPPED, Cause.NIGHT_CLOSED, Cause.CANCELLED]
    seconds: float
    peak_memory_bytes: int


class GridConfig(Frozen):
    """The part of the settings that decides the results: `NightSettings.grid_config()`, by the same rules."""

    symbols: tuple[str, ...]
    timeframes: tuple[str, ...]
    horizons: tuple[int, ...]
    n_splits: int
    embargo_minutes: int
    promote_if: PromoteIf
    false_discovery_rate: float
    model: Model
    data: SurveyPolicy

    @model_validator(mode="after")
    def _as_in_settings(self) -> GridConfig:
        try:
            NightSettings(**self.model_dump(mode="json"))
        except ValidationError as error:
            mistakes = (
                (".".join(map(str, mistake["loc"])), mistake["msg"].removeprefix("Value error, "))
                for mistake in error.errors()
            )
            raise ValueError("; ".join(f"{key}: {right}" for key, right in mistakes)) from None
        return self


class RunRequest(Frozen):
    """An operator asks for a night.

    An unfinished run of an equal `config` is gone on with; of another one it is a conflict, unless `fresh`
    cancels it.
    """

    config: GridConfig
    fresh: bool = False


class RunState(StrEnum):
    """Where a run is in its life: RUNNING until each job is final, then DONE, or CANCELLED by an operator."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


class JobCounts(Frozen):
    """Jobs by state."""

    queued: int = 0
    leased: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def total(self) -> int:
        """All jobs."""
        return self.queued + self.leased + self.final

    @property
    def final(self) -> int:
        """Jobs that are over, one way or the other."""
        return self.succeeded + self.failed + self.cancelled


class RunView(Frozen):
    """A run and how far it is.

    `surveys` and `training` count its jobs; `progress_ratio` is the share of training jobs that are final.
    `synthetic` is true once a survey saw synthetic candles. `results_path` is empty until the results were
    written.
    """

    id: int
    state: RunState
    config: GridConfig
    synthetic: bool
    created: datetime
    finished: datetime | None
    surveys: JobCounts
    training: JobCounts
    progress_ratio: float
    promoted: int
    results_path: str


class RunPage(Frozen):
    """Runs, the newest first; `total` counts all that there are."""

    total: int
    limit: int
    offset: int
    runs: tuple[RunView, ...]


class Outcome(StrEnum):
    """How an attempt ended, or that it has not."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RELEASED = "released"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class AttemptView(Frozen):
    """One attempt at a job; `charged` says whether it counts against the budget of its cause."""

    number: int
    trainer: str
    host: str
    outcome: Outcome
    cause: Cause | None
    charged: bool
    message: str
    evidence: str
    started: datetime
    ended: datetime | None
    seconds: float | None
    peak_memory_bytes: int | None
    memory_limit_bytes: int


class JobView(Frozen):
    """A job at a glance.

    A survey has no `timeframe` and no `horizon`. `waits` says in words why a queued job has not been handed
    out, and is empty otherwise. `promoted` is None until the run has decided; `refused_by` then names what
    the model missed, and `reasons` says it in words. `seconds` and `peak_memory_bytes` are those of the last
    attempt.
    """

    id: int
    run_id: int
    kind: JobKind
    symbol: str
    timeframe: str | None
    horizon: int | None
    state: JobState
    cause: Cause | None
    message: str
    waits: str
    rows: int | None
    attempts: int
    trainer: str
    progress: Progress | None
    created: datetime
    started: datetime | None
    finished: datetime | None
    seconds: float | None
    peak_memory_bytes: int | None
    scores: Scores | None
    p_value: float | None
    promoted: bool | None
    refused_by: tuple[RefusalReason, ...] = ()
    reasons: tuple[str, ...]


class JobPage(Frozen):
    """Jobs in the order of the grid; `total` counts all that match the filter."""

    total: int
    limit: int
    offset: int
    jobs: tuple[JobView, ...]


class JobDetail(JobView):
    """A job with all that is known of it: its attempts, the folds it has saved, and what it brought back.

    `spec` is None for a training job whose symbol is not surveyed yet.
    """

    spec: Annotated[SurveySpec | TrainingSpec, Field(discriminator="kind")] | None
    history: tuple[AttemptView, ...]
    checkpoint: Checkpoint | None
    survey: SurveyReport | None
    report: TrainingReport | None


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
