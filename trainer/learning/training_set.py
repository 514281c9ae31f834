"""All that one cell is trained on and judged by: candles, features, labels and the folds over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.protocol.reports import Span
from common.settings.sections import Label
from trainer.candles.arrays import FloatArray, IntArray
from trainer.candles.candles import Candles
from trainer.candles.moments import moment_of
from trainer.compiled.edges import outcomes_of
from trainer.features.context import reach_of
from trainer.features.indicators import WARM_UP
from trainer.features.labels import Labels, labels_of
from trainer.features.matrix import FeatureMatrix
from trainer.features.products import open_products
from trainer.learning.design_matrix import DesignMatrix
from trainer.learning.edge import FoldOutcome
from trainer.learning.splits import Fold, walk_forward

DIRECTION = Label()


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """The inputs of one training, put together once and handed to whatever trains or checks.

    Parameters
    ----------
    candles : Candles
        The cell's own bars.
    context : tuple of Candles
        The coarser candles of ``matrix.contexts``, in that order.
    matrix : FeatureMatrix
        The features of all usable bars.
    labels : Labels
        The n rows of the matrix that have a label, and the ties beside them.
    design : DesignMatrix
        These rows, n x p.
    folds : tuple of Fold
        The expanding walk-forward over them, purged by time.
    horizon : int
        Bars that a label looks ahead.
    embargo_ms : int
        Least time between the end of a training label and the first test row.
    label : Label
        What the labels say.
    """

    candles: Candles
    context: tuple[Candles, ...]
    matrix: FeatureMatrix
    labels: Labels
    design: DesignMatrix
    folds: tuple[Fold, ...]
    horizon: int
    embargo_ms: int
    label: Label = DIRECTION

    @classmethod
    def of(
        cls,
        candles: Candles,
        context: Sequence[Candles],
        matrix: FeatureMatrix,
        horizon: int,
        n_splits: int,
        embargo_ms: int,
        label: Label = DIRECTION,
    ) -> TrainingSet:
        """Label the rows of a feature matrix and split them into folds.

        Parameters
        ----------
        context : sequence of Candles
            Coarser candles; those that the matrix does not read are left out.
        n_splits : int
            Number of folds.
        label : Label
            What the labels say.
        """
        labels = labels_of(candles, matrix.bar, horizon, label)
        products = open_products(matrix.path, matrix.digest, matrix.values)
        return cls(
            candles=candles,
            context=tuple(bars for bars in context if bars.timeframe in matrix.contexts),
            matrix=matrix,
            labels=labels,
            design=DesignMatrix(matrix.values, labels.row, products),
            folds=tuple(walk_forward(labels.close_time, labels.end, n_splits, embargo_ms)),
            horizon=horizon,
            embargo_ms=embargo_ms,
            label=label,
        )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def bar(self) -> IntArray:
        """The bar of each labelled row, shape (n,)."""
        return self.matrix.bar[self.labels.row]

    def ties_of(self, fold: Fold) -> IntArray:
        """Return the ties between a fold's first test row and the next fold's, as rows of the matrix."""
        row, tie = self.labels.row, self.labels.tie
        start = int(np.searchsorted(tie, row[fold.test_start]))
        stop = int(np.searchsorted(tie, row[fold.test_stop])) if fold.test_stop < len(self) else len(tie)
        return tie[start:stop]

    def outcome(self, fold: Fold, p: FloatArray, p_of_ties: FloatArray) -> FoldOutcome:
        """Put a fold's predictions of its test rows and of its ties in order of time, with what came of them.

        Parameters
        ----------
        p : ndarray of float64, shape (test rows,)
            Of the test rows.
        p_of_ties : ndarray of float64, shape (t,)
            Of `ties_of(fold)`.
        """
        tested = self.labels.row[fold.test_start : fold.test_stop], p
        ties = self.ties_of(fold), p_of_ties
        return FoldOutcome(*outcomes_of(self.candles.close, self.matrix.bar, self.horizon, tested, ties))

    @property
    def memory(self) -> int:
        """How many of its own bars the features look back on: their windows', or those of a context."""
        own = self.candles.interval_ms
        return max(WARM_UP, *(reach_of(bars) // own for bars in self.context), 0)

    @property
    def first_test_row(self) -> int:
        """The first row that any fold tests on."""
        return self.folds[0].test_start

    def span(self, start: int, stop: int) -> Span:
        """Return the time of the labelled rows from `start` to `stop`, half-open and not empty."""
        close_time = self.labels.close_time
        opened = close_time[start] - self.candles.interval_ms
        return Span(start=moment_of(opened), end=moment_of(close_time[stop - 1]))
