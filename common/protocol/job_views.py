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

from common.protocol.jobs import Cause, Frozen, JobKind, JobState, SurveyPolicy, SurveySpec, TrainingSpec
from common.protocol.reports import Checkpoint, Scores, SurveyReport, TrainingReport
from common.protocol.trainers import Progress
from common.settings.night import NightSettings
from common.settings.sections import Model, PromoteIf


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
    """The symbols, such as `BTCUSDT`; `BTC/USDT` and `BTC_USDT` are the same."""
    timeframes: tuple[str, ...]
    """Lengths of a bar, such as `1h`."""
    horizons: tuple[int, ...]
    """For how many bars ahead a rise is predicted."""
    n_splits: int
    """Folds of the expanding walk-forward."""
    embargo_minutes: int
    """Minutes between the end of the last training label and the first test row."""
    promote_if: PromoteIf
    """Thresholds that a model must meet to be promoted."""
    false_discovery_rate: float
    """Share of promoted models that may be luck, 0 to 1, over the whole run."""
    model: Model
    """The regression and the least rows of a fold."""
    data: SurveyPolicy
    """How damaged candles may be."""

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
    """An operator asks for a night; an unfinished run of an equal configuration is gone on with."""

    config: GridConfig
    """The night that is asked for."""
    fresh: bool = False
    """Whether an unfinished run of another configuration is cancelled instead of being in conflict."""


class RunState(StrEnum):
    """Where a run is in its life: RUNNING until each job is final, then DONE, or CANCELLED by an operator."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


class JobCounts(Frozen):
    """Jobs by state."""

    queued: int = 0
    """Jobs that wait."""
    leased: int = 0
    """Jobs that a trainer works on."""
    succeeded: int = 0
    """Jobs that brought a result."""
    failed: int = 0
    """Jobs that were given up."""
    cancelled: int = 0
    """Jobs that an operator cancelled."""

    @property
    def total(self) -> int:
        """All jobs."""
        return self.queued + self.leased + self.final

    @property
    def final(self) -> int:
        """Jobs that are over, one way or the other."""
        return self.succeeded + self.failed + self.cancelled


class RunView(Frozen):
    """A run and how far it is."""

    id: int
    """The run's id."""
    state: RunState
    """Where the run is in its life."""
    config: GridConfig
    """What it trains."""
    synthetic: bool
    """Whether a survey saw synthetic candles."""
    created: datetime
    """When it was begun."""
    finished: datetime | None
    """When it ended; null until then."""
    surveys: JobCounts
    """Its survey jobs by state, one a symbol."""
    training: JobCounts
    """Its training jobs by state, one a cell."""
    progress_ratio: float
    """Share of the training that is done, saved folds of unfinished jobs included, 0 to 1."""
    promoted: int
    """Number of models that were promoted."""
    results_path: str
    """Path of the file with the results; empty until they were written."""


class RunPage(Frozen):
    """Some of the runs."""

    total: int
    """How many runs there are in all."""
    limit: int
    """How many were asked for at most."""
    offset: int
    """How many were skipped."""
    runs: tuple[RunView, ...]
    """The runs, the newest first."""


class Outcome(StrEnum):
    """How an attempt ended, or that it has not."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RELEASED = "released"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class AttemptView(Frozen):
    """One attempt at a job."""

    number: int
    """Which attempt it was, counted from 1."""
    trainer: str
    """Name of the trainer."""
    host: str
    """The trainer's host."""
    outcome: Outcome
    """How it ended."""
    cause: Cause | None
    """Why it brought no result; null if it did, or still runs."""
    charged: bool
    """Whether it counts against the budget of its cause."""
    message: str
    """What went wrong, in one line; empty if nothing did."""
    evidence: str
    """What proves the cause: counters, signal, last log lines or traceback."""
    started: datetime
    """When it began."""
    ended: datetime | None
    """When it ended; null while it runs."""
    seconds: float | None
    """How long it took, in seconds; null while it runs."""
    peak_memory_bytes: int | None
    """The most memory that it took, in bytes; null where that is not known."""
    memory_limit_bytes: int
    """The room that it had, in bytes."""


class JobView(Frozen):
    """A job at a glance."""

    id: int
    """The job's id."""
    run_id: int
    """Id of the run that it belongs to."""
    kind: JobKind
    """Whether it surveys a symbol or trains a cell."""
    symbol: str
    """The symbol."""
    timeframe: str | None
    """Length of a bar; null for a survey."""
    horizon: int | None
    """Bars ahead; null for a survey."""
    state: JobState
    """Where it is in its life."""
    cause: Cause | None
    """Why it failed or was cancelled; null otherwise."""
    message: str
    """The same in words; empty otherwise."""
    waits: str
    """Why a queued job has not been handed out yet, in words; empty for others."""
    rows: int | None
    """Bars of its series; null before the survey, and for a survey."""
    attempts: int
    """How often it was tried."""
    trainer: str
    """Name of the trainer that tried it last; empty if none did."""
    progress: Progress | None
    """How far it is, while a trainer works on it."""
    created: datetime
    """When the run was begun."""
    started: datetime | None
    """When it was handed out first; null before."""
    finished: datetime | None
    """When it was over; null before."""
    seconds: float | None
    """How long the last attempt took, in seconds."""
    peak_memory_bytes: int | None
    """The most memory that the last attempt took, in bytes."""
    scores: Scores | None
    """Out-of-fold scores of a trained cell; null otherwise."""
    p_value: float | None
    """Probability of such a score by luck, 0 to 1; null without scores."""
    promoted: bool | None
    """Whether its model was promoted; null until the run has decided."""
    refused_by: tuple[RefusalReason, ...] = ()
    """What the model missed, if it was not promoted."""
    reasons: tuple[str, ...]
    """The same in sentences."""


class JobPage(Frozen):
    """Some of the jobs that match a filter."""

    total: int
    """How many jobs match the filter in all."""
    limit: int
    """How many were asked for at most."""
    offset: int
    """How many were skipped."""
    jobs: tuple[JobView, ...]
    """The jobs, in the order of runs and of the grid."""


class JobDetail(JobView):
    """A job with all that is known of it."""

    spec: Annotated[SurveySpec | TrainingSpec, Field(discriminator="kind")] | None
    """What it has to do; null for a training job whose symbol is not surveyed yet."""
    history: tuple[AttemptView, ...]
    """Its attempts, in order."""
    checkpoint: Checkpoint | None
    """The folds that it has saved; null if there are none."""
    survey: SurveyReport | None
    """What a survey brought back."""
    report: TrainingReport | None
    """What a training brought back."""
