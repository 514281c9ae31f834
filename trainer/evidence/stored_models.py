"""The models of a training as they are kept, each with the rows that time allows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from common.protocol.reports import Check, FoldReport
from trainer.candles.arrays import FloatArray
from trainer.candles.moments import milliseconds_of
from trainer.learning.logistic_model import LogisticModel
from trainer.learning.training_set import TrainingSet


@dataclass(frozen=True, eq=False)
class StoredModels:
    """The models of one fold, one for each C, or the final model.

    Parameters
    ----------
    place : str
        Whose they are, in words.
    permitted : int
        How many of the first rows may be trained on.
    tested : slice
        Rows that are tested on; empty for the final model.
    known : slice
        Those of them whose labels the next fold may know, which is all that later choices may rest on.
    Cs : tuple of float, length m
        Inverse regularisation strengths.
    means, scales : ndarray of float64, shape (p,)
        The standardisation.
    coefficients : ndarray of float64, shape (m, p)
        Of the standardised features.
    intercepts : ndarray of float64, shape (m,)
        Log odds at the means.
    """

    place: str
    permitted: int
    tested: slice
    known: slice
    Cs: tuple[float, ...]
    means: FloatArray
    scales: FloatArray
    coefficients: FloatArray
    intercepts: FloatArray

    def model(self, C: float) -> LogisticModel:
        """Return the model of one C."""
        position = self.Cs.index(C)
        return LogisticModel(
            self.means, self.scales, self.coefficients[position], float(self.intercepts[position])
        )


def stored_models(
    data: TrainingSet,
    folds: Sequence[FoldReport],
    Cs: tuple[float, ...],
    final: tuple[float, LogisticModel],
) -> list[StoredModels]:
    """Return the folds' models in their order, and then the final one.

    A fold may train on every row whose label has ended, embargo included, when the first of its test rows
    closes. Of `data` only candles, the bar of each row, horizon and embargo are believed, of a fold its test
    span; which rows it says that it trained on is not asked.

    Parameters
    ----------
    data : TrainingSet
        What was trained on.
    folds : sequence of FoldReport
        The folds as they are kept, in order.
    Cs : tuple of float
        The path's inverse regularisation strengths.
    final : (float, LogisticModel)
        The model of all rows and its C.
    """
    interval, rows = data.candles.interval_ms, len(data)
    # The openings of the first test rows; a row's bar and its label's end so much later by the same length.
    opened = [milliseconds_of(fold.test_span.start) for fold in folds]
    permitted = [rows_until(data, moment - data.embargo_ms, "right", data.horizon) for moment in opened]
    found = []
    for position, fold in enumerate(folds):
        start = rows_until(data, opened[position])
        stop = rows_until(data, milliseconds_of(fold.test_span.end) - interval, "right")
        known_stop = permitted[position + 1] if position + 1 < len(folds) else stop
        found.append(
            StoredModels(
                place=f"fold {position + 1}",
                permitted=permitted[position],
                tested=slice(start, stop),
                known=slice(start, min(max(known_stop, start), stop)),
                Cs=Cs,
                means=np.asarray(fold.means),
                scales=np.asarray(fold.scales),
                coefficients=np.asarray(fold.coefficients),
                intercepts=np.asarray(fold.intercepts),
            )
        )
    C, model = final
    found.append(
        StoredModels(
            place="the final model",
            permitted=rows,
            tested=slice(rows, rows),
            known=slice(rows, rows),
            Cs=(C,),
            means=model.means,
            scales=model.scales,
            coefficients=model.coefficients[None, :],
            intercepts=np.array([model.intercept]),
        )
    )
    return found


def rows_until(
    data: TrainingSet, moment: int, side: Literal["left", "right"] = "left", bars_later: int = 0
) -> int:
    """Return how many labelled rows come before a moment: by the opening of a bar so many after their own.

    Parameters
    ----------
    data : TrainingSet
        What was trained on; of it opening times, the bar of each row, and which rows are labelled are
        believed.
    moment : int
        In milliseconds since the epoch.
    side : str
        Whether bars that open at that moment come after it ("left") or before it ("right").
    bars_later : int
        Which bar's opening counts.
    """
    bars = int(np.searchsorted(data.candles.open_time, moment, side=side)) - bars_later
    return int(np.searchsorted(data.labels.row, np.searchsorted(data.matrix.bar, bars)))


def check_models(data: TrainingSet, folds: Sequence[FoldReport], stored: Sequence[StoredModels]) -> Check:
    """Check that the models are complete, and that the folds test every row from the first test on, in order.

    Parameters
    ----------
    data : TrainingSet
        What was trained on.
    folds : sequence of FoldReport
        The folds as they are kept.
    stored : sequence of StoredModels
        Their models and the final one, from `stored_models`.
    """

    def failed(place: str, detail: str) -> Check:
        return Check(name="models", passed=False, checked=len(stored), detail=f"{place}: {detail}")

    path, row = stored[0].Cs, data.first_test_row
    for position, (fold, models) in enumerate(zip(folds, stored, strict=False)):
        if fold.index != position:
            return failed(models.place, f"in its place is fold {fold.index + 1}")
        if fold.C not in path or len(fold.log_losses) != len(path):
            return failed(models.place, "its C or its log losses are not those of the path")
        if models.tested.start != row:
            return failed(models.place, "its test part does not begin where the one before it ends")
        row = models.tested.stop
    if row != len(data):
        return failed("the last fold", "its test part does not end with the last row")
    for models in stored:
        columns, count = data.design.columns, len(models.Cs)
        shapes = (columns,), (columns,), (count, columns), (count,)
        numbers = models.means, models.scales, models.coefficients, models.intercepts
        if tuple(each.shape for each in numbers) != shapes:
            return failed(models.place, f"there are not {count} models of {columns} columns")
        if not (all(np.isfinite(each).all() for each in numbers) and (models.scales > 0.0).all()):
            return failed(models.place, "a number of its models is not finite, or a scale not positive")
        if not models.permitted:
            return failed(models.place, "time allows it no row to train on")
    detail = f"{len(folds)} folds test every row from the first test on, each with a whole path of models"
    return Check(name="models", passed=True, checked=len(stored), detail=detail)
