"""The results of a night: what `logs/batch_train_results_{timestamp}.json` holds.

The schema is versioned by its name; `deploy/results.schema.json` is made from these models
(``python -m common.results > deploy/results.schema.json``).
Times are UTC in ISO 8601. A field that is not known is null, never left out.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Literal

from pydantic import Field

from common.jobs import Cause, Frozen, JobState
from common.report import Scores, Span, SurveyReport
from common.views import AttemptView, GridConfig, RefusalReason

RESULTS_SCHEMA: Literal["nighttrain.results/1"] = "nighttrain.results/1"


class FoldResult(Frozen):
    """One fold of the walk-forward: where it trained and tested, the C it took, and its out-of-fold scores.

    `log_losses` has one entry per C of the path, in the path's order; `C` was chosen by those of the folds in
    `C_chosen_from`.
    """

    index: int
    train_rows: int
    test_rows: int
    train_span: Span
    test_span: Span
    last_train_label_end: datetime
    C: float
    C_chosen_from: tuple[int, ...]
    log_losses: tuple[float, ...]
    scores: Scores


class JobResult(Frozen):
    """What became of one cell of the grid.

    `cause` and `message` say why a job failed. `promoted` is false for a model that missed the gate;
    `refused_by` names what it missed, and `reasons` says it in words. `rows` are rows with a full feature
    window and a label, `span` is their time.
    """

    symbol: str
    timeframe: str
    horizon: int
    state: JobState
    cause: Cause | None
    message: str
    rows: int | None
    span: Span | None
    scores: Scores | None
    folds: tuple[FoldResult, ...]
    p_value: float | None
    promoted: bool
    refused_by: tuple[RefusalReason, ...] = ()
    reasons: tuple[str, ...]
    seconds: float | None
    peak_memory_bytes: int | None
    attempts: tuple[AttemptView, ...]


class SurveyResult(Frozen):
    """What became of the survey of one symbol; `report` holds each series and each finding."""

    symbol: str
    state: JobState
    cause: Cause | None
    message: str
    report: SurveyReport | None
    seconds: float | None
    peak_memory_bytes: int | None
    attempts: tuple[AttemptView, ...]


class Totals(Frozen):
    """The night in figures: cells by what became of them, the night's length and the work in it (seconds)."""

    jobs: int
    succeeded: int
    failed: int
    cancelled: int
    promoted: int
    attempts: int
    wall_seconds: float
    job_seconds: float
    peak_memory_bytes: int | None


class Results(Frozen):
    """The results of a run; `jobs` are in the order of the grid, as configured."""

    schema_: Literal["nighttrain.results/1"] = Field(default=RESULTS_SCHEMA, alias="schema")
    run: int
    config: GridConfig
    synthetic: bool
    started: datetime
    finished: datetime
    totals: Totals
    jobs: tuple[JobResult, ...]
    surveys: tuple[SurveyResult, ...]


def results_schema() -> str:
    """Return the JSON Schema of the results, as `deploy/results.schema.json` holds it."""
    return json.dumps(Results.model_json_schema(by_alias=True, mode="serialization"), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(results_schema())
