"""Jobs as operators ask for them and see them; reading needs no token on trusted networks.

GET  /api/jobs?run=&state=&symbol=&timeframe=&horizon=&kind=&since=&limit=&offset= -> JobPage
GET  /api/jobs/{job}                             -> JobDetail
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from common.frozen import Frozen
from common.protocol.jobs import Cause, JobKind, JobState, SurveySpec, TrainingSpec
from common.protocol.reports import Checkpoint, Scores, SurveyReport, TrainingReport
from common.protocol.trainers import Progress


class RefusalReason(StrEnum):
    """Why a model was not promoted: what it missed."""

    AUC = "auc"
    BRIER = "brier"
    ACCURACY = "accuracy"
    BASE_RATE = "base_rate"
    NEWEST_FOLD = "newest_fold"
    SIGNIFICANCE = "significance"
    CERTIFICATE = "certificate"
    CHAMPION = "champion"


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
    """The same in words, or of which run the result was reused; empty otherwise."""
    reused_from: int | None = None
    """Id of the job of an earlier run whose result was reused, since candles, settings and program were the
    same; null otherwise."""
    reused_run: int | None = None
    """Id of that run, which is the number of its night; null likewise."""
    again: str = ""
    """Why it was trained again and no earlier result reused, in words; empty otherwise."""
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
    revision: int | None = None
    """Of the jobs of one run: what to ask with as `since` for those that change from now on; else null."""
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
