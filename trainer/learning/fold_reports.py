"""A finished fold as a checkpoint keeps it, and back again as what the next fold begins from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.protocol.reports import FoldModel, FoldReport, Recalibration
from trainer.candles.arrays import FloatArray
from trainer.candles.moments import moment_of
from trainer.learning.crossval import FoldFit
from trainer.learning.logistic_path import LogisticPath
from trainer.learning.recalibration import Forecast
from trainer.learning.scores import score
from trainer.learning.splits import Fold
from trainer.learning.training_set import TrainingSet


def fold_report(fit: FoldFit, p: FloatArray, data: TrainingSet, Cs: Sequence[float]) -> FoldReport:
    """Return the report of a fitted fold.

    Parameters
    ----------
    fit : FoldFit
        The fold, its path over C and the choice.
    p : ndarray of float64, shape (test rows,)
        The chosen model's predictions of the fold's test rows.
    data : TrainingSet
        What was trained on.
    Cs : sequence of float
        The path's inverse regularisation strengths.
    """
    fold, path = fit.fold, fit.path
    return FoldReport(
        index=fold.index,
        train_rows=fold.train_stop,
        test_rows=fold.test_stop - fold.test_start,
        train_span=data.span(0, fold.train_stop),
        test_span=data.span(fold.test_start, fold.test_stop),
        last_train_label_end=moment_of(data.labels.end[fold.train_stop - 1]),
        C=Cs[fit.choice],
        C_chosen_from=fit.chosen_from,
        log_losses=fit.log_losses,
        means=tuple(path.means.tolist()),
        scales=tuple(path.scales.tolist()),
        coefficients=tuple(map(tuple, path.coefficients.tolist())),
        intercepts=tuple(path.intercepts.tolist()),
        iterations=path.passes,
        scores=score(p, data.labels.y[fold.test_start : fold.test_stop]),
    )


def recalibrated(
    report: FoldReport, recalibration: Recalibration, forecast: Forecast, p: FloatArray
) -> FoldReport:
    """Return a fold's report with its recalibration, and the scores of the predictions that this gives.

    Parameters
    ----------
    report : FoldReport
        The fold as it was fitted; coefficients and log losses of the path stay as they are.
    recalibration : Recalibration
        By the folds before it.
    forecast : Forecast
        What the fold's model predicted.
    p : ndarray of float64, shape (test rows,)
        The same, recalibrated.
    """
    scores = report.scores if recalibration.slope == 1.0 else score(p, forecast.y)
    return report.model_copy(update={"recalibration": recalibration, "scores": scores})


def fit_of(report: FoldReport, fold: Fold, Cs: Sequence[float]) -> FoldFit:
    """Return the fit that a fold's report describes, to the last digit."""
    path = LogisticPath(
        means=np.asarray(report.means),
        scales=np.asarray(report.scales),
        coefficients=np.asarray(report.coefficients),
        intercepts=np.asarray(report.intercepts),
        passes=report.iterations,
    )
    return FoldFit(fold, path, report.log_losses, Cs.index(report.C), report.C_chosen_from)


def fold_model(report: FoldReport, Cs: Sequence[float]) -> FoldModel:
    """Return the model that a fold has tested, recalibrated, as the manifest keeps it."""
    position = Cs.index(report.C)
    slope = report.recalibration.slope if report.recalibration else 1.0
    return FoldModel(
        trained_until=report.last_train_label_end,
        means=report.means,
        scales=report.scales,
        coefficients=tuple(slope * each for each in report.coefficients[position]),
        intercept=report.intercepts[position],
    )
