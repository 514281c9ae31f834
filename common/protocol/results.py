"""The results of a night: what `logs/batch_train_results_{timestamp}.json` holds.

The schema is versioned by its name; `deploy/results.schema.json` is made from these models
(``python -m common.protocol.results > deploy/results.schema.json``).
Times are UTC in ISO 8601. A field that is not known is null, never left out.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Literal

from pydantic import Field

from common.frozen import Frozen
from common.protocol.champions import ChampionChange
from common.protocol.job_views import AttemptView, RefusalReason
from common.protocol.jobs import Cause, JobState
from common.protocol.reports import (
    Check,
    Edge,
    FoldResult,
    GateScores,
    Recalibration,
    Scores,
    Span,
    SurveyReport,
    Ties,
)
from common.protocol.retests import ChampionResult
from common.settings.grid import GridConfig

RESULTS_SCHEMA: Literal["nighttrain.results/1"] = "nighttrain.results/1"


class JobResult(Frozen):
    """What became of one cell of the grid."""

    symbol: str
    """The symbol."""
    timeframe: str
    """Length of a bar, such as `1h`."""
    horizon: int
    """Bars ahead."""
    state: JobState
    """What became of the job."""
    cause: Cause | None
    """Why it failed or was cancelled; null otherwise."""
    message: str
    """The same in words, or of which run the result was reused; empty otherwise."""
    reused_from: int | None = None
    """Id of the job of an earlier run whose result was reused, since candles, settings and program were the
    same; null if it was trained in this run, or not at all."""
    reused_run: int | None = None
    """Id of that run, which is the number of its night; null likewise."""
    again: str = ""
    """Why it was trained again and no earlier result reused, in words; empty otherwise."""
    rows: int | None
    """Rows with a full feature window and a label; null if it was not trained."""
    span: Span | None
    """Time of these rows."""
    scores: Scores | None
    """Out-of-fold scores over all folds; null if it was not trained."""
    ties: Ties | None = None
    """Rows that were left out because the close did not move; null if it was not trained or not counted."""
    edge: Edge | None = None
    """What its extreme predictions would have earned before costs; null if it was not trained."""
    gates: GateScores | None = None
    """What gates of the promotion look at besides the scores; null if it was not trained, or by an earlier
    version."""
    recalibration: Recalibration | None = None
    """How the model was recalibrated; null likewise."""
    folds: tuple[FoldResult, ...]
    """The folds, in order."""
    p_value: float | None
    """Probability of such a score by luck, 0 to 1; null if it was not trained."""
    best_of: int | None = None
    """How many horizons of this symbol and timeframe were trained; null if this one was not."""
    p_value_best_of: float | None = None
    """The p-value if this horizon was picked as the best of them: Bonferroni's, 0 to 1; null likewise."""
    promoted: bool
    """Whether the model was promoted."""
    refused_by: tuple[RefusalReason, ...] = ()
    """What the model missed, if it was not promoted."""
    reasons: tuple[str, ...]
    """The same in sentences."""
    failed_checks: tuple[Check, ...] = ()
    """The checks of the model's certificate that failed; each of them refuses it."""
    seconds: float | None
    """How long the last attempt took, in seconds."""
    peak_memory_bytes: int | None
    """The most memory that the last attempt took, in bytes."""
    attempts: tuple[AttemptView, ...]
    """Every attempt, in order."""


class SurveyResult(Frozen):
    """What became of the survey of one symbol."""

    symbol: str
    """The symbol."""
    state: JobState
    """What became of the survey."""
    cause: Cause | None
    """Why it failed or was cancelled; null otherwise."""
    message: str
    """The same in words; empty otherwise."""
    report: SurveyReport | None
    """Each series and each finding; null if it failed."""
    seconds: float | None
    """How long the last attempt took, in seconds."""
    peak_memory_bytes: int | None
    """The most memory that the last attempt took, in bytes."""
    attempts: tuple[AttemptView, ...]
    """Every attempt, in order."""


class Totals(Frozen):
    """The night in figures."""

    jobs: int
    """Cells of the grid."""
    succeeded: int
    """Cells that have a model: trained in this run, or reused."""
    reused: int = 0
    """How many of these took over the result of an earlier run: nothing had changed."""
    failed: int
    """Cells that were given up, those that have no candles to be trained on among them."""
    untrainable: int = 0
    """How many of these have none: nothing broke there."""
    cancelled: int
    """Cells that an operator cancelled."""
    promoted: int
    """Models that were promoted."""
    attempts: int
    """Attempts at all jobs, surveys included."""
    wall_seconds: float
    """Length of the night, in seconds."""
    job_seconds: float
    """Work in it: the seconds of all attempts."""
    peak_memory_bytes: int | None
    """The most memory that an attempt took, in bytes."""


class Results(Frozen):
    """The results of a run."""

    schema_: Literal["nighttrain.results/1"] = Field(default=RESULTS_SCHEMA, alias="schema")
    """Name of this format."""
    run: int
    """The run's id."""
    config: GridConfig
    """What was trained."""
    synthetic: bool
    """Whether candles were synthetic."""
    started: datetime
    """When the run was begun."""
    finished: datetime
    """When it ended."""
    totals: Totals
    """What became of all jobs, in figures."""
    jobs: tuple[JobResult, ...]
    """The cells, in the order of the grid as configured."""
    surveys: tuple[SurveyResult, ...]
    """The surveys, in the order of the symbols."""
    champions: tuple[ChampionResult, ...] = ()
    """The champions of these cells that stood before the night was decided, tested again on newer rows."""
    champion_changes: tuple[ChampionChange, ...] = ()
    """Who became champion in this night, who is so no longer, and why."""


def results_schema() -> str:
    """Return the JSON Schema of the results, as `deploy/results.schema.json` holds it."""
    return json.dumps(Results.model_json_schema(by_alias=True, mode="serialization"), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(results_schema())
