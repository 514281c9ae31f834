"""Predictions that are too sure of themselves, drawn towards the base rate by what earlier folds show.

A model's log odds are its intercept, the log odds at the means, and a part that the features add. That part
is multiplied with a slope: temperature scaling (Guo et al., On Calibration of Modern Neural Networks, 2017)
about the intercept. The intercept stays. It is of all rows before, and the few folds that a slope is measured
on may have risen more often than the next will.

A fold's slope is measured on the predictions of the folds before it, the final model's on those of all folds,
each made by a model that had not seen its row, and each of a row whose label has ended, embargo included,
before the next fold's test begins. It is used where

1. these predictions are overconfident beyond doubt: the slope is below 1 by `CERTAINTY` standard errors, and
2. it would have helped so far: with each fold's predictions drawn by what the folds before it showed, the log
   loss of these folds would have been lower.

Slopes above 1 are never used: they rest on the first folds, whose C was chosen from little, and made real
candles' log losses worse. What the rule was chosen from is in ``deploy/gates.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.protocol.reports import Recalibration
from trainer.candles.arrays import FloatArray
from trainer.compiled.edges import overconfidence
from trainer.compiled.predictions import log_odds, probabilities, slope_derivatives
from trainer.learning.logistic_model import LogisticModel
from trainer.learning.scores import log_loss

RECALIBRATION_VERSION = "2"
"""Changes whenever the rule does. Checkpoints keep folds as they were fitted, so that those of any version
are gone on from; a model's lineage names the version that its slope is of."""

CERTAINTY = 1.645
"""How many standard errors a slope must be below 1 to be used."""

LEAST = 0.1
"""The least slope that is used. It leaves a fold's predictions in their order; a slope of 0 would not."""

LAGS = 4
"""Horizons that the standard error looks back on; labels of rows less than one apart share bars."""

NOTHING = 1e-9
"""Curvature, summed over the rows, up to which there is nothing to multiply."""

PRECISION = 1e-9
STEPS = 50
FURTHEST_STEP = 0.5

_EPSILON = float(np.finfo(np.float64).eps)
"""0 and 1 count as the nearest others that float64 can tell from them."""


@dataclass(frozen=True, eq=False)
class Forecast:
    """A fold's predictions before any recalibration, and what came of them.

    Parameters
    ----------
    p, y : ndarray of float64, shape (n,)
        Probabilities of rows that the model had not seen, and their labels.
    intercept : float
        The model's log odds at the means.
    added : ndarray of float64, shape (n,)
        What the features add to the log odds.
    """

    p: FloatArray
    y: FloatArray
    intercept: float
    added: FloatArray

    @classmethod
    def of(cls, p: FloatArray, y: FloatArray, intercept: float) -> Forecast:
        """Take apart predictions of a model with that intercept."""
        return cls(p, y, intercept, log_odds(p, _EPSILON) - intercept)

    def first(self, rows: int) -> Forecast:
        """Return the forecast of the first rows only."""
        return Forecast(self.p[:rows], self.y[:rows], self.intercept, self.added[:rows])

    def drawn(self, slope: float) -> FloatArray:
        """Return the predictions with a slope, shape (n,)."""
        return self.p if slope == 1.0 else probabilities(self.intercept + slope * self.added)


@dataclass(frozen=True)
class Overconfidence:
    """The derivatives of the log loss by the slope at 1, summed over rows, and the variance of the first."""

    gradient: float = 0.0
    curvature: float = 0.0
    variance: float = 0.0

    @classmethod
    def of(cls, forecast: Forecast, horizon: int) -> Overconfidence:
        """Measure one fold's."""
        window = _window(len(forecast.y), horizon)
        gradient, curvature, squares = overconfidence(forecast.p, forecast.y, forecast.added, window)
        # What Bartlett's weights take from overlapping labels is given back.
        overlap = 1.0 + float(horizon - 1 / horizon) / (3 * window)
        return cls(gradient, curvature, squares / window * overlap)

    def __add__(self, other: Overconfidence) -> Overconfidence:
        return Overconfidence(
            self.gradient + other.gradient,
            self.curvature + other.curvature,
            self.variance + other.variance,
        )

    @property
    def estimate(self) -> float:
        """The slope of the least log loss, as Newton's step from 1 finds it."""
        return 1.0 - self.gradient / self.curvature

    @property
    def standard_error(self) -> float:
        """The estimate's."""
        return float(np.sqrt(self.variance)) / self.curvature

    @property
    def beyond_doubt(self) -> bool:
        """Whether the predictions are overconfident beyond doubt."""
        return self.estimate + CERTAINTY * self.standard_error < 1.0


def recalibrations(forecasts: Sequence[Forecast], horizon: int) -> list[Recalibration]:
    """Return the recalibration of each fold, from the folds before it, and then that of the final model.

    Parameters
    ----------
    forecasts : sequence of Forecast
        Those of each fold, in order; of the test rows whose labels the next fold may know.
    horizon : int
        Bars that a label spans.
    """
    found = [UNMEASURED]
    total, gain = Overconfidence(), 0.0
    for known, newest in enumerate(forecasts, start=1):
        total += Overconfidence.of(newest, horizon)
        before = found[-1].estimate
        if before is not None and before < 1.0:
            gain += gain_of(newest, max(before, LEAST))
        if total.curvature <= NOTHING:
            found.append(UNMEASURED)
            continue
        use = total.beyond_doubt and gain > 0.0
        found.append(
            Recalibration(
                slope=min(max(best_slope(forecasts[:known], total), LEAST), 1.0) if use else 1.0,
                estimate=total.estimate,
                standard_error=total.standard_error,
                gain=gain,
                measured_on=tuple(range(known)),
            )
        )
    return found


UNMEASURED = Recalibration(slope=1.0, estimate=None, standard_error=None, gain=0.0, measured_on=())
"""Of the first fold, before which nothing was predicted, and of models that say one thing of all rows."""


def gain_of(forecast: Forecast, slope: float) -> float:
    """Return by how much a slope would have lowered the log loss, summed over the rows, in nats."""
    if not len(forecast.y):
        return 0.0
    before, after = log_loss(forecast.p, forecast.y), log_loss(forecast.drawn(slope), forecast.y)
    return (before - after) * len(forecast.y)


def best_slope(forecasts: Sequence[Forecast], total: Overconfidence) -> float:
    """Return the slope of the least log loss; the loss is convex, so that there is one.

    `total` is the forecasts' overconfidence, which knows the first step.
    """
    slope, step = 1.0, total.estimate - 1.0
    for _ in range(STEPS):
        slope += float(np.clip(step, -FURTHEST_STEP, FURTHEST_STEP))
        if abs(step) <= PRECISION:
            break
        step = newton_step(forecasts, slope)
    return slope


def newton_step(forecasts: Sequence[Forecast], slope: float) -> float:
    """Return Newton's step from a slope to that of the least log loss; 0 if the features add nothing."""
    gradient = curvature = 0.0
    for each in forecasts:
        first, second = slope_derivatives(each.added, each.y, each.intercept, slope)
        gradient += first
        curvature += second
    return -gradient / curvature if curvature > NOTHING else 0.0


def rescaled(model: LogisticModel, slope: float) -> LogisticModel:
    """Return a model whose features add `slope` times as much to the log odds."""
    return LogisticModel(model.means, model.scales, slope * model.coefficients, model.intercept)


def _window(rows: int, horizon: int) -> int:
    """Return over how many neighbours, which depend on each other, gradients are summed.

    The mean square of the sums over all windows of so many rows is the variance of the sum over all rows with
    Bartlett's weights (Newey & West 1987, Econometrica 55).
    """
    window: int = max(min(max(LAGS * horizon, round(rows ** (1 / 3))), rows // 3), 1) + 1
    return window
