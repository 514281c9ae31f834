"""A finished fold as a checkpoint keeps it, and back again as what the next fold begins from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.protocol.reports import FoldModel, FoldReport
from trainer.candles.arrays import FloatArray
from trainer.candles.moments import moment_of
from trainer.learning.crossval import FoldFit
from trainer.learning.logistic_path import LogisticPath
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
    """Return the model that a fold has tested, as the manifest keeps it."""
    position = Cs.index(report.C)
    return FoldModel(
        trained_until=report.last_train_label_end,
        means=report.means,
        scales=report.scales,
        coefficients=report.coefficients[position],
        intercept=report.intercepts[position],
    )
