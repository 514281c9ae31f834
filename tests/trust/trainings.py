"""Trainings that cheat, and in everything else are told as an honest one would be."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from common.protocol.reports import GateScores
from tests.trainer.learning.formula import said_by, said_by_path
from trainer.candles.candles import Candles
from trainer.evidence.certificate import certify
from trainer.evidence.significance import auc_p_value
from trainer.features.matrix import open_features
from trainer.learning.base_rate import base_rate_log_loss
from trainer.learning.column_moments import Moments
from trainer.learning.crossval import CrossValidation, FoldFit, choose
from trainer.learning.design_matrix import DesignMatrix
from trainer.learning.edge import edge
from trainer.learning.fold_reports import fold_report, recalibrated
from trainer.learning.logistic_path import LogisticPath, fit_path
from trainer.learning.recalibration import Forecast, recalibrations, rescaled
from trainer.learning.scores import score
from trainer.learning.training_set import TrainingSet

CS = (1e-6, 1e-4, 1e-2, 1.0)
HORIZON = 5
EMBARGO_MS = 2 * 3_600_000


@dataclasses.dataclass
class Training:
    """A finished training; what is forged in it is replaced."""

    data: TrainingSet
    reports: list
    C: float
    model: object
    scores: object
    p_value: float
    edge: object
    recalibration: object
    gates: object

    @classmethod
    def told(cls, data, paths, final, nudge=0.0, recalibrate=recalibrations, foresight=False):
        """Tell of models as an honest training does: their losses, the choice, scores, and the p-value.

        `nudge` moves each prediction towards its label; `recalibrate` says by how much to draw predictions;
        with `foresight` later folds also rest on rows whose labels end in their test part.
        """
        y, fits, reports, predicted, tested = data.labels.y, [], [], [], []
        for fold, path in zip(data.folds, paths, strict=True):
            truth = y[fold.test_start : fold.test_stop]
            p = said_by_path(path, data.design, fold.test_start, fold.test_stop)
            p += nudge * (truth - p)
            rows = len(truth) if foresight else fold.known
            losses = tuple(score(each, truth[:rows]).log_loss for each in p[:, :rows])
            choice = choose([fit.log_losses for fit in fits], len(CS))
            fits.append(FoldFit(fold, path, losses, choice, tuple(range(len(fits)))))
            predicted.append(p[choice])
            reports.append(fold_report(fits[-1], predicted[-1], data, CS))
            ties = DesignMatrix(data.matrix.values, data.ties_of(fold))
            of_ties = said_by(path.model(choice), ties, 0, len(ties))
            tested.append(data.outcome(fold, predicted[-1], of_ties))
        forecasts = [
            Forecast.of(p, y[fit.fold.test_start : fit.fold.test_stop], fit.model.intercept)
            for fit, p in zip(fits, predicted, strict=True)
        ]
        known = [
            each.first(len(each.y) if foresight else fold.known)
            for each, fold in zip(forecasts, data.folds, strict=True)
        ]
        *of_folds, last = recalibrate(known, data.horizon)
        predicted = [each.drawn(one.slope) for each, one in zip(forecasts, of_folds, strict=True)]
        reports = [recalibrated(*each) for each in zip(reports, of_folds, forecasts, predicted, strict=True)]
        choice = choose([fit.log_losses for fit in fits], len(CS))
        p, truth = np.concatenate(predicted), y[data.first_test_row :]
        base_rates = [float(y[: fold.train_stop].mean()) for fold in data.folds]
        constant = base_rate_log_loss(base_rates, [each.y for each in forecasts])
        return cls(
            data=data,
            reports=reports,
            C=CS[choice],
            model=rescaled(final.model(choice), last.slope),
            scores=score(p, truth),
            p_value=auc_p_value(p, truth, data.horizon, data.memory),
            edge=edge(tested, data.horizon, data.label.costs_bp),
            recalibration=last,
            gates=GateScores(base_rate_log_loss=constant, newest_fold=reports[-1].scores),
        )

    def but(self, **changes):
        return dataclasses.replace(self, **changes)

    def with_report(self, index, **changes):
        reports = list(self.reports)
        reports[index] = reports[index].model_copy(update=changes)
        return self.but(reports=reports)

    def certificate(self):
        """What the product says of it."""
        final = self.C, self.model
        claimed = self.scores, self.p_value, self.edge, self.recalibration, self.gates
        return certify(self.data, self.reports, CS, final, *claimed)

    def failed(self):
        """Names of the checks that fail, and the detail of the first."""
        certificate = self.certificate()
        failed = [check for check in certificate.checks if not check.passed]
        assert certificate.valid == (not failed)
        return [check.name for check in failed], failed[0].detail if failed else ""


def training_set(candles: Candles, cache: Path) -> TrainingSet:
    """What a training of these candles learns from, in three folds."""
    matrix = open_features(cache, candles, ())
    return TrainingSet.of(candles, (), matrix, HORIZON, 3, EMBARGO_MS)


def honest_paths(data):
    """The models of each fold as the product fits them."""
    crossval = CrossValidation(data.design, data.labels.y, data.folds, CS)
    return [crossval.fit_next().path for _ in data.folds]


def fitted(data, rows, start=None):
    """Fit a path on some rows."""
    moments = Moments(DesignMatrix(data.matrix.values, data.labels.row[rows]), data.labels.y[rows])
    moments.extend(len(rows))
    return fit_path(moments, CS, start)


def expressed(path, scaler):
    """Tell of the same predictions with the means and scales of another path."""
    weights = path.coefficients / path.scales
    intercepts = path.intercepts + weights @ (scaler.means - path.means)
    return LogisticPath(scaler.means, scaler.scales, weights * scaler.scales, intercepts, path.passes)


def with_slope(place, slope):
    """Recalibrate as the product does, but multiply the slope of one model; the last is the final one."""

    def recalibrate(forecasts, horizon):
        found = recalibrations(forecasts, horizon)
        found[place] = found[place].model_copy(update={"slope": slope * found[place].slope})
        return found

    return recalibrate


def all_rows(data, fold):
    return np.arange(len(data))


def one_row_more(data, fold):
    return np.arange(fold.train_stop + 1)


def five_purged_rows(data, fold):
    assert fold.test_start - fold.train_stop > 5
    return np.arange(fold.train_stop + 5)


def a_fifth_of_the_test_rows(data, fold):
    return np.concatenate([np.arange(fold.train_stop), np.arange(fold.test_start, fold.test_stop, 5)])


def the_test_rows_only(data, fold):
    return np.arange(fold.test_start, fold.test_stop)


def one_row_less(data, fold):
    return np.arange(fold.train_stop - 1)


ROWS = [
    all_rows,
    one_row_more,
    five_purged_rows,
    a_fifth_of_the_test_rows,
    the_test_rows_only,
    one_row_less,
]
