"""What each gate of the promotion costs and saves: trainings of rows of which the truth is known.

``python -m tests.trust.gates [trainings]`` prints the counts of ``deploy/gates.md``.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from common.protocol.reports import Scores
from tests.trainer.learning.formula import said_by
from trainer.evidence.significance import auc_p_value
from trainer.learning.base_rate import base_rate_log_loss
from trainer.learning.crossval import CrossValidation
from trainer.learning.design_matrix import DesignMatrix
from trainer.learning.recalibration import Forecast, recalibrations, rescaled
from trainer.learning.scores import log_loss, score
from trainer.learning.splits import Fold

CS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
COLUMNS = 40
FOLDS = 5
MIN_AUC = 0.52
MAX_BRIER = 0.26
LEVEL = 0.05
"""About the greatest p-value where a tenth of the discoveries may be luck and half of the cells are some."""


@dataclass(frozen=True)
class World:
    """What is true in a simulated market, by sixths of its rows.

    `edges` are the deviations of the log odds that the features know of.
    """

    name: str
    edges: tuple[float, ...]


WORLDS = (
    World("noise", (0.0,) * 6),
    World("steady", (0.2,) * 6),
    World("fades by half", (0.26, 0.26, 0.26, 0.2, 0.17, 0.13)),
    World("ended before the newest fold", (0.26,) * 5 + (0.0,)),
    World("reversed in the newest fold", (0.26,) * 5 + (-0.13,)),
)


def rows_of(draw, world, rows):
    """Return features, half of them slow, and labels, shapes (n, columns) and (n,)."""
    X = draw.standard_normal((rows, COLUMNS))
    keep = np.exp(-1 / 20)
    X[:, ::2] = lfilter([np.sqrt(1 - keep**2)], [1, -keep], X[:, ::2], axis=0)
    direction = draw.standard_normal(COLUMNS)
    direction /= np.linalg.norm(direction)
    edge = np.repeat(world.edges, -(-rows // 6))[:rows]
    y = (draw.random(rows) < 1 / (1 + np.exp(-edge * (X @ direction)))).astype(float)
    return X.astype(np.float32), y


@dataclass(frozen=True)
class Trained:
    """What a training found; `log_loss_before` is that before recalibration."""

    scores: Scores
    log_loss_before: float
    p_value: float
    base_rate_log_loss: float
    newest_auc: float
    newest_p_value: float
    slope: float


def training(draw, world, rows, inflated=1.0):
    """Train as the product does.

    `inflated` multiplies what the features add to each model's log odds: a model that is too sure.
    """
    X, y = rows_of(draw, world, rows)
    edges = [part * rows // (FOLDS + 1) for part in range(FOLDS + 2)]
    folds = [
        Fold(k, edges[k + 1] - 1, edges[k + 1], edges[k + 2], edges[k + 2] - (k + 1 < FOLDS))
        for k in range(FOLDS)
    ]
    design = DesignMatrix(X, np.arange(rows))
    crossval = CrossValidation(design, y, folds, CS)
    forecasts = []
    for fold in folds:
        model = rescaled(crossval.fit_next().model, inflated)
        p = said_by(model, design, fold.test_start, fold.test_stop)
        forecasts.append(Forecast.of(p, y[fold.test_start : fold.test_stop], model.intercept))
    found = recalibrations([each.first(fold.known) for each, fold in zip(forecasts, folds, strict=True)], 1)
    predicted = [each.drawn(one.slope) for each, one in zip(forecasts, found, strict=False)]
    p, truth, newest = np.concatenate(predicted), y[edges[1] :], forecasts[-1].y
    base_rates = [y[: fold.train_stop].mean() for fold in folds]
    return Trained(
        scores=score(p, truth),
        log_loss_before=log_loss(np.concatenate([each.p for each in forecasts]), truth),
        p_value=auc_p_value(p, truth, 1),
        base_rate_log_loss=base_rate_log_loss(base_rates, [each.y for each in forecasts]),
        newest_auc=score(predicted[-1], newest).auc,
        newest_p_value=auc_p_value(predicted[-1], newest, 1),
        slope=found[-1].slope,
    )


GATES = {
    "log loss below base rate": lambda one: one.scores.log_loss < one.base_rate_log_loss,
    "newest fold not below 0.5 at 5 %": lambda one: one.newest_p_value < 0.95,
    "newest fold above 0.5": lambda one: one.newest_auc > 0.5,
    "newest fold above 0.5 at 25 %": lambda one: one.newest_p_value <= 0.25,
    "both": lambda one: one.scores.log_loss < one.base_rate_log_loss and one.newest_auc > 0.5,
}


def counted(world, rows, trainings, seed, inflated=1.0):
    """Count the trainings that pass AUC, Brier score and p-value, and how many of these pass each gate."""
    passed = Counter()
    for number in range(trainings):
        one = training(np.random.default_rng([seed, rows, number]), world, rows, inflated)
        passed["recalibrated"] += one.slope < 1
        passed["lower log loss by it"] += one.scores.log_loss < one.log_loss_before
        passed["higher log loss by it"] += one.scores.log_loss > one.log_loss_before
        if one.scores.auc < MIN_AUC or one.scores.brier > MAX_BRIER or one.p_value > LEVEL:
            continue
        passed["promoted without gates"] += 1
        passed.update(name for name, gate in GATES.items() if gate(one))
    return passed


def main():
    trainings = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    for rows, times in ((1200, 1), (2400, 1), (13000, 0.5)):
        for seed, world in enumerate(WORLDS):
            number = int(trainings * times * (4 if world.name == "noise" else 1))
            for inflated in (1.0, 1.6):
                found = counted(world, rows, number, seed, inflated)
                print(rows, world.name, inflated, number, dict(found), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
