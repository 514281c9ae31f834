"""What models say of the rows that a fold tests and of all between them, in one reading of the rows.

The rows are read as they lie in the feature matrix, from the fold's first test row to the next fold's. Ties
and rows without a future are predicted along with the others, which costs less than to leave them out, and
whoever predicts the same stretch with the same models gets the same digits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainer.candles.arrays import Float32Array, FloatArray, IntArray
from trainer.learning.design_matrix import DesignMatrix
from trainer.learning.logistic_model import probabilities


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

    def predictions(
        self, coefficients: FloatArray, intercepts: FloatArray, means: FloatArray, scales: FloatArray
    ) -> FloatArray:
        """Return p(rise) of each row by m models, shape (m, stop - start); see `probabilities`."""
        rows = DesignMatrix(self.values, np.arange(self.start, self.stop))
        return probabilities(coefficients, intercepts, means, scales, rows, 0, len(rows))

    def at(self, predictions: FloatArray, row: IntArray) -> FloatArray:
        """Return the predictions, (..., stop - start), of some ascending rows of the matrix."""
        if len(row) and row[-1] - row[0] + 1 == len(row):
            return predictions[..., row[0] - self.start : row[-1] + 1 - self.start]
        return np.take(predictions, row - self.start, axis=-1)
