"""What models say of the rows that a fold tests and of all between them, in one reading of the rows.

The rows are read as they lie in the feature matrix, from the fold's first test row to the next fold's. Ties
and rows without a future are predicted along with the others, which costs less than to leave them out, and
whoever predicts the same stretch with the same models gets the same digits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainer.candles.arrays import Float32Array, FloatArray, IntArray
from trainer.compiled import passes
from trainer.compiled.predictions import probabilities
from trainer.learning.design_matrix import DesignMatrix
from trainer.learning.logistic_model import LogisticModel, unstandardised

MOST_LOSS = float(-np.log(np.finfo(np.float64).eps))
"""What a row may lose at most: 0 and 1 count as the nearest probabilities that float64 can tell from them."""

ROUNDED_FROM = 32_768
"""The losses of so many known rows are of log odds in float32: their mean is within 2e-10 of what it is in
float64, on candles of 5m and 1m."""

ROUNDED_REACH = 3.0
"""Log odds that a model's columns may add up to at their means and a standard deviation each, for that. Those
of candles came to 2.3; digits are lost where columns are far from zero or the signal is strong."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """Rows `start` to `stop`, half-open, of a matrix `values` of shape (N, p)."""

    values: Float32Array
    start: int
    stop: int

    @classmethod
    def of(cls, design: DesignMatrix, first: int, last: int) -> Stretch:
        """Return the rows of the matrix from one row of a design to another, or to the last row of all."""
        stop = int(design.row[last]) if last < len(design) else len(design.values)
        return cls(design.values, int(design.row[first]), stop)

    def predictions(self, model: LogisticModel) -> FloatArray:
        """Return p(rise) of each row by a model, shape (stop - start,)."""
        weights, offsets = unstandardised(
            model.coefficients[None, :], np.array([model.intercept]), model.means, model.scales
        )
        said, _ = passes.judged(self.values, self.start, self.stop, weights, offsets, 0, None, MOST_LOSS)
        return probabilities(said)

    def judged(
        self,
        coefficients: FloatArray,
        intercepts: FloatArray,
        means: FloatArray,
        scales: FloatArray,
        chosen: int,
        row: IntArray,
        y: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Return what one of m models says of each row, and how good all of them are where it is known.

        Parameters
        ----------
        coefficients : ndarray of float64, shape (m, p)
            Of standardised features.
        intercepts : ndarray of float64, shape (m,)
            Log odds at the means.
        means, scales : ndarray of float64, shape (p,)
            The standardisation.
        chosen : int
            Position of the one.
        row : ndarray of int64, shape (k,)
            Rows of the stretch, ascending, whose outcomes are known; positions in the matrix.
        y : ndarray of float64, shape (k,)
            Their outcomes: 0, 1, or 1/2, which counts as half of each.

        Returns
        -------
        p : ndarray of float64, shape (stop - start,)
            As `predictions` has it, to the last digit.
        log_losses : ndarray of float64, shape (m,)
            Means over the known rows, in nats; 0 if there are none.
        """
        weights, offsets = unstandardised(coefficients, intercepts, means, scales)
        # What a row loses is log(1 + exp(t)) if it fell, t being its log odds, log(1 + exp(-t)) if it rose.
        signs = np.full(self.stop - self.start, np.nan)
        signs[row - self.start] = 1.0 - 2.0 * y
        reach = np.abs(coefficients) @ (1.0 + np.abs(means / scales))
        rounded = len(row) >= ROUNDED_FROM and bool((reach <= ROUNDED_REACH).all())
        rows = self.values, self.start, self.stop
        said, losses = passes.judged(*rows, weights, offsets, chosen, signs, MOST_LOSS, rounded=rounded)
        return probabilities(said), losses / max(len(row), 1)

    def at(self, predictions: FloatArray, row: IntArray) -> FloatArray:
        """Return the predictions, (..., stop - start), of some ascending rows of the matrix."""
        if len(row) and row[-1] - row[0] + 1 == len(row):
            return predictions[..., row[0] - self.start : row[-1] + 1 - self.start]
        return np.take(predictions, row - self.start, axis=-1)
