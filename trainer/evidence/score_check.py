"""Whether scores and p-value are those of the stored models' predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.protocol.reports import Check, FoldReport, Scores
from trainer.candles.arrays import FloatArray
from trainer.evidence.significance import auc_p_value
from trainer.evidence.stored_models import StoredModels
from trainer.learning.scores import score
from trainer.learning.training_set import TrainingSet

TOLERANCE = 1e-6
"""Most that a score may differ: on another kind of processor, where a job may be resumed, predictions differ
in their last digits, which put nearly equal ones in another order."""


def check_scores(
    data: TrainingSet,
    stored: Sequence[StoredModels],
    folds: Sequence[FoldReport],
    scores: Scores,
    p_value: float,
) -> Check:
    """Predict again what each fold tested, with the stored model of its C, and score that.

    Parameters
    ----------
    data : TrainingSet
        What was trained on.
    stored : sequence of StoredModels
        The folds' models.
    folds : sequence of FoldReport
        Each fold's C and claimed scores.
    scores : Scores
        Claimed for all folds' predictions.
    p_value : float
        Claimed for them.
    """
    y = data.labels.y
    predicted = []
    for models, fold in zip(stored, folds, strict=False):
        tested = models.tested
        p = models.model(fold.C).predict(data.design, tested.start, tested.stop)
        predicted.append(p)
        if wrong := _difference(fold.scores, p, y[tested]):
            return _failed(len(predicted), f"{models.place}: {wrong}")
    p = np.concatenate(predicted)
    truth = y[data.first_test_row :]
    if wrong := _difference(scores, p, truth):
        return _failed(len(predicted) + 1, f"all folds: {wrong}")
    found = auc_p_value(p, truth, data.horizon, data.memory)
    if not abs(found - p_value) <= TOLERANCE:
        return _failed(len(predicted) + 2, f"the predictions' p-value is {found:.4g}, not {p_value:.4g}")
    detail = f"scores of {len(folds)} folds and of all, and the p-value, are those of the stored models"
    return Check(name="scores", passed=True, checked=len(predicted) + 2, detail=detail)


def _failed(checked: int, detail: str) -> Check:
    return Check(name="scores", passed=False, checked=checked, detail=detail)


def _difference(claimed: Scores, p: FloatArray, y: FloatArray) -> str:
    found = score(p, y)
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
