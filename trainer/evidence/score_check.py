"""Whether scores and p-value are those of the stored models' predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.protocol.reports import Check, FoldReport, GateScores, Scores
from trainer.candles.arrays import FloatArray
from trainer.evidence.known import Known
from trainer.evidence.recalibration_check import slope_of
from trainer.evidence.stored_models import StoredModels
from trainer.learning.base_rate import base_rate_log_loss
from trainer.learning.recalibration import Forecast
from trainer.learning.training_set import TrainingSet

TOLERANCE = 1e-6
"""Most that a score may differ: on another kind of processor, where a job may be resumed, predictions differ
in their last digits, which put nearly equal ones in another order."""


def check_scores(
    data: TrainingSet,
    stored: Sequence[StoredModels],
    folds: Sequence[FoldReport],
    forecasts: Sequence[Forecast],
    scores: Scores,
    p_value: float,
    gates: GateScores,
    known: Known,
) -> Check:
    """Score again what the stored models predict, recalibrated as each fold says.

    Parameters
    ----------
    data : TrainingSet
        What was trained on.
    stored : sequence of StoredModels
        The folds' models.
    folds : sequence of FoldReport
        Each fold's recalibration and claimed scores.
    forecasts : sequence of Forecast
        What the stored models predict before it, from `forecasts_of`.
    scores : Scores
        Claimed for all folds' predictions.
    p_value : float
        Claimed for them.
    gates : GateScores
        Claimed for them.
    known : Known
        What was computed of equal predictions.
    """
    y = data.labels.y
    predicted: list[FloatArray] = []
    for models, fold, forecast in zip(stored, folds, forecasts, strict=False):
        predicted.append(forecast.drawn(slope_of(fold.recalibration)))
        of_fold = known.scores(predicted[-1], forecast.y)
        if wrong := _difference(fold.scores, of_fold, predicted[-1], forecast.y):
            return _failed(len(predicted), f"{models.place}: {wrong}")
    p = np.concatenate(predicted)
    truth = y[data.first_test_row :]
    of_all, test = known.scores_and_test(p, truth, data.horizon, data.memory)
    if wrong := _difference(scores, of_all, p, truth):
        return _failed(len(predicted) + 1, f"all folds: {wrong}")
    found = 1.0 if test is None else test.p_value
    if not abs(found - p_value) <= TOLERANCE:
        return _failed(len(predicted) + 2, f"the predictions' p-value is {found:.4g}, not {p_value:.4g}")
    base_rates = [float(y[: models.permitted].mean()) for models, _ in zip(stored, folds, strict=False)]
    constant = base_rate_log_loss(base_rates, [forecast.y for forecast in forecasts])
    if not abs(constant - gates.base_rate_log_loss) <= TOLERANCE:
        shown = f"{constant:.9g}, not {gates.base_rate_log_loss:.9g}"
        return _failed(len(predicted) + 3, f"the log loss of the base rates known before is {shown}")
    if gates.newest_fold != folds[-1].scores:
        return _failed(len(predicted) + 4, "the newest fold's scores are not those of the last fold")
    detail = f"scores of {len(folds)} folds and of all, and the p-value, are those of the stored models"
    return Check(name="scores", passed=True, checked=len(predicted) + 4, detail=detail)


def _failed(checked: int, detail: str) -> Check:
    return Check(name="scores", passed=False, checked=checked, detail=detail)


def _difference(claimed: Scores, found: Scores, p: FloatArray, y: FloatArray) -> str:
    if claimed == found:
        return ""
    undecided = float((np.abs(p - 0.5) <= TOLERANCE).sum() / max(np.count_nonzero(y != 0.5), 1))
    for name in Scores.model_fields:
        ours, theirs = getattr(found, name), getattr(claimed, name)
        if ours is None or theirs is None:
            same = ours is theirs
        else:
            same = abs(ours - theirs) <= TOLERANCE + (undecided if name == "accuracy" else 0.0)
        if not same:
            shown = ["none" if value is None else f"{value:.9g}" for value in (ours, theirs)]
            return f"{name} of the stored models' predictions is {shown[0]}, not {shown[1]}"
    return ""
