"""Runs and jobs as operators ask for them and see them; reading needs no token on trusted networks.

POST /api/runs                   RunRequest      -> 201 RunView, or 200 if that night is unfinished
GET  /api/runs                                   -> RunPage, the newest first
GET  /api/runs/{run}                             -> RunView
GET  /api/runs/{run}/results                     -> results.Results, 404 until the run has ended
POST /api/runs/{run}/cancel                      -> RunView
GET  /api/jobs?run=&state=&symbol=&timeframe=&horizon=&kind=&limit=&offset= -> JobPage
GET  /api/jobs/{job}                             -> JobDetail
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field, ValidationError, model_validator

from common.jobs import Cause, Frozen, JobKind, JobState, SurveyPolicy, SurveySpec, TrainingSpec
from common.messages import Progress
from common.report import Checkpoint, Scores, SurveyReport, TrainingReport
from common.settings import Model, NightSettings, PromoteIf


class RefusalReason(StrEnum):
    """Why a model was not promoted: what it missed."""

    AUC = "auc"
    BRIER = "brier"
    ACCURACY = "accuracy"
    SIGNIFICANCE = "significance"
    CERTIFICATE = "certificate"
    CHAMPION = "champion"


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
