"""The present champion on tonight's rows, each predicted by a model that had not seen it.

Two questions are asked. Has it kept its edge? Its final model is scored on the rows after its training, and
its whole record, walk-forward and after, is tested once more. Is the new model worse? Their log losses are
paired row by row. The coordinator decides on the answers (`coordinator/policy/championship.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from common.protocol.jobs import Cell
from common.protocol.reports import ChampionComparison, ChampionRetest, FoldModel, Manifest, Obstacle
from trainer.candles.arrays import FloatArray
from trainer.candles.moments import milliseconds_of
from trainer.evidence.known import Known
from trainer.evidence.means import auc_influence, mean_p_value
from trainer.features.indicators import FEATURE_VERSION
from trainer.features.labels import LABEL_VERSION
from trainer.learning.logistic_model import LogisticModel
from trainer.learning.scores import row_losses, score
from trainer.learning.stretch import Stretch
from trainer.learning.training_set import TrainingSet

KEPT_EDGE = 0.25
"""The share of its promised edge (AUC above one half) that a champion must not have fallen below. Scores of
what was chosen for being high come down: half of the edge is usual, and is no reason to part with it."""

FEWEST_ROWS = 50
FEWEST_LABELS = 10
"""The least rows, and the least labels that do not overlap, to judge by; with these the tests hold their
level."""


@dataclass(frozen=True)
class Record:
    """The champion's predictions of the rows from `start` on, and from `new` on those after its training.

    `models` counts the models that predicted, of `of` in all.
    """

    p: FloatArray
    start: int
    new: int
    models: int
    of: int


def compare(
    champion: Manifest, cell: Cell, data: TrainingSet, p: FloatArray, known: Known | None = None
) -> ChampionComparison:
    """Score the champion and the challenger on the same rows.

    A row is predicted by the champion's latest model (of its folds, or its final one) whose last training
    label had ended, embargo included, when the row's bar closed. Rows before its first model are left out
    for both.

    Parameters
    ----------
    champion : Manifest
        The promoted model.
    cell : Cell
        The challenger's cell.
    data : TrainingSet
        What the challenger was trained on: n labelled rows.
    p : ndarray of float64, shape (n - data.first_test_row,)
        The challenger's out-of-fold predictions.
    known : Known, optional
        What was found out about them before: on the candles that it was trained on, the champion predicts
        the same, digit for digit.

    Returns
    -------
    ChampionComparison
        Without scores, and saying why, where the two cannot be compared.
    """
    obstacle, reason = _obstacle(champion, cell, data)
    if obstacle is not None:
        return _incomparable(champion, reason, obstacle)
    record = record_of(champion, data)
    if not len(record.p):
        return _incomparable(champion, "the champion has seen all out-of-fold rows")
    known = known or Known()
    y, own = data.labels.y[record.start :], p[record.start - data.first_test_row :]
    rows, since = len(y), record.new - record.start
    # Where too few rows have come since, all that both have predicted beforehand must do.
    pair_from = since if enough(rows - since, data.horizon) else 0
    worse = None
    if enough(rows - pair_from, data.horizon):
        worse = _worse_p_value(own[pair_from:], record.p[pair_from:], y[pair_from:], data.horizon)
    scores, test = known.scores_and_test(record.p, y, data.horizon, data.memory)
    words = f"{rows} of {len(p)} out-of-fold rows, by {record.models} of the champion's {record.of} models"
    return ChampionComparison(
        champion=champion.pickle_sha256 or champion.cell.name,
        rows_compared=rows,
        scores=scores,
        challenger_scores=known.scores_and_test(own, y, data.horizon, data.memory)[0]
        if len(own) == len(p)
        else score(own, y),
        detail=f"{words}; {rows - since} of them after its training",
        retest=_retest(champion, data, record, own, 1.0 if test is None else test.p_value),
        challenger_worse_p_value=worse,
        challenger_worse_rows=0 if worse is None else rows - pair_from,
    )


def record_of(champion: Manifest, data: TrainingSet) -> Record:
    """Return the champion's predictions of the rows that it had not seen."""
    models = [
        (fold.trained_until, LogisticModel.of(fold.means, fold.scales, fold.coefficients, fold.intercept))
        for fold in champion.fold_models
    ]
    final = LogisticModel.of(champion.means, champion.scales, champion.coefficients, champion.intercept)
    embargo_ms = champion.embargo_minutes * 60_000
    unseen_from = [milliseconds_of(until) + embargo_ms for until, _ in models]
    unseen_from.append(milliseconds_of(champion.trained_span.end) + embargo_ms)
    close_time, rows = data.labels.close_time, len(data)
    edges = [max(data.first_test_row, int(np.searchsorted(close_time, moment))) for moment in unseen_from]
    stops = [*edges[1:], rows]
    parts = [
        _predicted(model, data, start, stop)
        for model, start, stop in zip([*(model for _, model in models), final], edges, stops, strict=True)
        if start < stop
    ]
    predicted = np.concatenate(parts) if parts else np.empty(0)
    return Record(predicted, rows - len(predicted), edges[-1], len(parts), len(edges))


def _predicted(model: LogisticModel, data: TrainingSet, start: int, stop: int) -> FloatArray:
    """Return what a model says of the rows `start` to `stop`, to the digits of a fold's own predictions."""
    stretch = Stretch.of(data.design, start, stop)
    return stretch.at(stretch.predictions(model), data.labels.row[start:stop])


def _worse_p_value(own: FloatArray, champion: FloatArray, y: FloatArray, horizon: int) -> float:
    if np.array_equal(own, champion):
        return 1.0
    return mean_p_value(row_losses(own, y) - row_losses(champion, y), horizon)


def enough(rows: int, horizon: int) -> bool:
    """Return whether so many rows can be judged by."""
    return rows >= max(FEWEST_ROWS, FEWEST_LABELS * horizon)


def _retest(
    champion: Manifest, data: TrainingSet, record: Record, own: FloatArray, record_p_value: float
) -> ChampionRetest:
    y, since = data.labels.y[record.start :], record.new - record.start
    p, later = record.p[since:], y[since:]
    return ChampionRetest(
        rows=len(p),
        span=data.span(record.new, len(data)) if len(p) else None,
        scores=score(p, later) if len(p) else None,
        challenger_scores=score(own[since:], later) if len(p) else None,
        floor_auc=floor_auc(champion.scores.auc or 0.5),
        lost_p_value=lost_p_value(p, later, champion.scores.auc or 0.5, data.horizon),
        record_p_value=record_p_value,
    )


def lost_p_value(p: FloatArray, y: FloatArray, promised: float, horizon: int) -> float | None:
    """Return the p-value of an area below what keeps `KEPT_EDGE` of the promised one's edge.

    Parameters
    ----------
    p, y : ndarray of float64, shape (n,)
        Predictions and labels of the rows after the training.
    promised : float
        The area that the model was promoted with, 0 to 1.
    horizon : int
        Bars that a label spans.

    Returns
    -------
    float or None
        None where there are too few rows to judge by, or one class only.
    """
    if not enough(len(y), horizon) or y.min() == y.max():
        return None
    return mean_p_value(floor_auc(promised) - auc_influence(p, y), horizon)


def floor_auc(promised: float) -> float:
    """Return the area under the ROC curve that keeps `KEPT_EDGE` of a promised one's edge."""
    return 0.5 + KEPT_EDGE * max(promised - 0.5, 0.0)


def _incomparable(champion: Manifest, reason: str, obstacle: Obstacle | None = None) -> ChampionComparison:
    return ChampionComparison(
        champion=champion.pickle_sha256 or champion.cell.name,
        rows_compared=0,
        scores=None,
        challenger_scores=None,
        detail=reason,
        obstacle=obstacle,
    )


def _obstacle(champion: Manifest, cell: Cell, data: TrainingSet) -> tuple[Obstacle | None, str]:
    if champion.cell != cell:
        return Obstacle.CELL, f"the champion is of {champion.cell.name}"
    if champion.feature_version != FEATURE_VERSION:
        version = f"of version {champion.feature_version}, not {FEATURE_VERSION}"
        return Obstacle.FEATURES, f"the champion's features are {version}"
    if champion.label_version != LABEL_VERSION:
        version = f"of version {champion.label_version or 'unknown'}, not {LABEL_VERSION}"
        return Obstacle.LABELS, f"the champion's labels are {version}"
    if champion.label.name != data.label.name:
        return Obstacle.LABELS, f"the champion predicts {champion.label.name}, not {data.label.name}"
    if champion.features != data.matrix.names:
        return Obstacle.FEATURES, "the champion has other columns"
    malformed = _malformed(champion)
    return (Obstacle.MALFORMED, f"the champion is malformed: {malformed}") if malformed else (None, "")


def _malformed(champion: Manifest) -> str:
    columns = len(champion.features)
    named: list[tuple[str, Manifest | FoldModel]] = [("its final model", champion)]
    named += [(f"the model of fold {index + 1}", fold) for index, fold in enumerate(champion.fold_models)]
    for name, model in named:
        for part in ("means", "scales", "coefficients"):
            values = getattr(model, part)
            if len(values) != columns:
                return f"{name} has {len(values)} {part} for {columns} columns"
            if not all(map(math.isfinite, values)):
                return f"{name} has {part} that are no numbers"
    moments = [fold.trained_until for fold in champion.fold_models]
    return "" if moments == sorted(moments) else "its folds are not in order of time"
