"""The present champion on the challenger's out-of-fold rows, each by a model that had not seen the row."""

from __future__ import annotations

import numpy as np

from common.protocol.jobs import Cell
from common.protocol.reports import ChampionComparison, Manifest
from trainer.candles.arrays import FloatArray
from trainer.candles.moments import milliseconds_of
from trainer.features.indicators import FEATURE_VERSION
from trainer.learning.logistic_model import LogisticModel
from trainer.learning.scores import score
from trainer.learning.training_set import TrainingSet


def compare(champion: Manifest, cell: Cell, data: TrainingSet, p: FloatArray) -> ChampionComparison:
    """Score the champion and the challenger on the same rows.

    A row is predicted by the champion's latest model (of its folds, or its final one) whose training had
    ended, embargo included, when the row's bar closed. Rows before its first model are left out for both.

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

    Returns
    -------
    ChampionComparison
        Without scores, and saying why, where the two cannot be compared.
    """
    name = champion.pickle_sha256 or champion.cell.name
    design, close_time, y, first = data.design, data.labels.close_time, data.labels.y, data.first_test_row
    reason = _incomparable(champion, cell, data.matrix.names)
    if reason:
        return ChampionComparison(
            champion=name, rows_compared=0, scores=None, challenger_scores=None, detail=reason
        )
    models = [
        (fold.trained_until, LogisticModel.of(fold.means, fold.scales, fold.coefficients, fold.intercept))
        for fold in champion.fold_models
    ]
    final = LogisticModel.of(champion.means, champion.scales, champion.coefficients, champion.intercept)
    models.append((champion.trained_span.end, final))
    embargo_ms = champion.embargo_minutes * 60_000
    unseen_from = [milliseconds_of(until) + embargo_ms for until, _ in models]
    edges = [max(first, int(np.searchsorted(close_time, moment))) for moment in unseen_from]
    stops = [*edges[1:], len(design)]
    parts = [
        model.predict(design, start, stop)
        for (_, model), start, stop in zip(models, edges, stops, strict=True)
        if start < stop
    ]
    if not parts:
        detail = "the champion has seen all out-of-fold rows"
        return ChampionComparison(
            champion=name, rows_compared=0, scores=None, challenger_scores=None, detail=detail
        )
    rows = len(design) - edges[0]
    return ChampionComparison(
        champion=name,
        rows_compared=rows,
        scores=score(np.concatenate(parts), y[edges[0] :]),
        challenger_scores=score(p[edges[0] - first :], y[edges[0] :]),
        detail=f"{rows} of {len(p)} out-of-fold rows, by {len(parts)} of the champion's {len(models)} models",
    )


def _incomparable(champion: Manifest, cell: Cell, names: tuple[str, ...]) -> str:
    if champion.cell != cell:
        return f"the champion is of {champion.cell.name}"
    if champion.feature_version != FEATURE_VERSION:
        return f"the champion's features are of version {champion.feature_version}, not {FEATURE_VERSION}"
    if champion.features != names:
        return "the champion has other columns"
    return ""
