"""The certificate: checks that nothing of a model has seen the future, made from what is kept of it.

Each check computes again, by another way, what the training claims: features from candles that end at the
row, label ends from opening times, scalers and coefficients from the rows that time allows, losses and
scores from the stored coefficients, and each C and each recalibration from earlier folds. Nothing is taken
from the training but what the manifest and the fold reports keep. Predictions, sums of products, and the
losses of models that were not chosen come from the same functions as in the training, asked of what is
stored; gradients do not. What follows from predictions that come out equal digit for digit is not computed
twice: see `known`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.protocol.reports import (
    Certificate,
    Check,
    Edge,
    FoldReport,
    GateScores,
    Recalibration,
    Scores,
)
from trainer.candles.moments import milliseconds_of, moment_of
from trainer.compiled.labels import ACROSS_A_GAP, OTHER_LABELS, label_faults
from trainer.evidence.choice_check import check_choice
from trainer.evidence.edge_check import check_edge
from trainer.evidence.feature_check import check_features
from trainer.evidence.fit_check import check_coefficients, check_losses, check_scalers
from trainer.evidence.known import Known
from trainer.evidence.predicted import predicted
from trainer.evidence.recalibration_check import (
    before_recalibration,
    check_recalibration,
    forecasts_of,
)
from trainer.evidence.recount import recount
from trainer.evidence.score_check import check_scores
from trainer.evidence.stored_models import check_models, rows_until, stored_models
from trainer.features.labels import closes_of
from trainer.learning.logistic_model import LogisticModel
from trainer.learning.training_set import TrainingSet

AT_COSTS = 1e-9
"""Basis points within which a move is what costs are, as the last digits of two logarithms tell it."""


def certify(
    data: TrainingSet,
    folds: Sequence[FoldReport],
    Cs: tuple[float, ...],
    final: tuple[float, LogisticModel],
    scores: Scores,
    p_value: float,
    edge: Edge,
    recalibration: Recalibration,
    gates: GateScores,
    known: Known | None = None,
) -> Certificate:
    """Check a training by what it leaves.

    Parameters
    ----------
    data : TrainingSet
        What was trained on.
    folds : sequence of FoldReport
        The folds as they are kept, in order.
    Cs : tuple of float
        The path's inverse regularisation strengths.
    final : (float, LogisticModel)
        The model of all rows as it was recalibrated, and its C.
    scores : Scores
        Claimed for the out-of-fold predictions of all folds.
    p_value : float
        Claimed for them.
    edge : Edge
        Claimed for them and for the ties beside them.
    recalibration : Recalibration
        Claimed for the final model.
    gates : GateScores
        Claimed for the out-of-fold predictions.
    known : Known, optional
        What the training computed of predictions; it counts only where the stored models give equal ones.

    Returns
    -------
    Certificate
        Valid if every check passed. What is kept of incomplete models cannot be computed from, so after a
        failed check `models` there is no further one.
    """
    fitted = before_recalibration(final[1], recalibration)
    stored = stored_models(data, folds, Cs, (final[0], fitted))
    models = check_models(data, folds, stored)
    first = (check_features(data), check_labels(data, folds), models)
    if not models.passed:
        return Certificate(checks=first)
    recounts = recount(data.design, data.labels.y, stored)
    said = predicted(data, stored, folds)
    forecasts = forecasts_of(data, said, folds)
    in_time = [
        each.first(models.known.stop - models.known.start)
        for each, models in zip(forecasts, stored, strict=False)
    ]
    slopes = [*(fold.recalibration for fold in folds), recalibration]
    return Certificate(
        checks=(
            *first,
            check_scalers(recounts),
            check_coefficients(recounts),
            check_losses(said, folds),
            check_choice(folds, Cs, final[0]),
            check_recalibration(in_time, slopes, data.horizon),
            check_scores(data, stored, folds, forecasts, scores, p_value, gates, known or Known()),
            check_edge(data, said, edge, known or Known()),
        )
    )


def check_labels(data: TrainingSet, folds: Sequence[FoldReport]) -> Check:
    """Check labels against closes, and the end of every training label against its fold's first test row.

    Parameters
    ----------
    data : TrainingSet
        What was trained on; only candles, the bar of each row, kind of label, horizon and embargo are
        believed. Ties must be exactly the rows whose close ends where it was, and all others must have a
        label; where costs are counted, all rows.
    folds : sequence of FoldReport
        What each fold says of its rows and times.
    """
    candles, labels, horizon = data.candles, data.labels, data.horizon
    interval, costly = candles.interval_ms, data.label.kind == "beyond_costs"

    def failed(detail: str) -> Check:
        return Check(name="labels", passed=False, checked=len(labels), detail=detail)

    closes, y = closes_of(candles, data.matrix.bar), None if costly else labels.y
    faults = label_faults(closes, horizon, labels.row, y, labels.end, labels.tie, with_ties=not costly)
    if faults & ACROSS_A_GAP:
        return failed("a label reaches across a gap")
    if faults & OTHER_LABELS or (costly and not faults and not _are_beyond_costs(data)):
        return failed(
            f"labels or their ends are not those of the closes and times (label: {data.label.name})"
        )
    if faults:
        return failed(
            "rows with a label are not those whose close moves, or ties not those whose close stays"
        )
    checked = 0
    least = None
    for fold in folds:
        place = f"fold {fold.index + 1}"
        opened = milliseconds_of(fold.test_span.start)
        first_test = opened + interval
        closed = milliseconds_of(fold.test_span.end)
        tested = rows_until(data, closed - interval, "right") - rows_until(data, opened)
        if tested != fold.test_rows:
            return failed(f"{place}: {fold.test_rows} test rows, but {tested} in its span")
        last = data.matrix.bar[labels.row[min(fold.train_rows, len(labels)) - 1]]
        last_end = int(candles.open_time[last + horizon]) + interval
        if last_end != milliseconds_of(fold.last_train_label_end):
            return failed(
                f"{place}: its last training label ends at {moment_of(last_end).isoformat()}, not as it says"
            )
        distance = first_test - last_end
        if distance < data.embargo_ms:
            return failed(
                f"{place}: a training label ends {distance / 60_000:g} minutes before the first test row, "
                f"the embargo is {data.embargo_ms / 60_000:g}"
            )
        checked += fold.train_rows
        least = distance if least is None else min(least, distance)
    minutes = (least or 0) / 60_000
    detail = f"training labels of {len(folds)} folds end {minutes:g} minutes or more before the test"
    if data.label.kind != "direction":
        detail += f"; they are {data.label.name}"
    return Check(name="labels", passed=True, checked=checked, detail=detail)


def _are_beyond_costs(data: TrainingSet) -> bool:
    """Tell whether labels are those of the closes where costs are counted; at the very costs any may be."""
    close, now, costs = data.candles.close, data.bar, data.label.costs_bp
    gain = 1e4 * np.log(close[now + data.horizon] / close[now])
    outcome = np.full(len(gain), 0.5)
    outcome[gain > costs] = 1.0
    outcome[-gain > costs] = 0.0
    at_costs = np.abs(np.abs(gain) - costs) <= AT_COSTS
    return bool(((outcome == data.labels.y) | at_costs).all())
