"""The logistic model as a formula, and its standardisation folded into weights of the columns as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.candles.arrays import FloatArray, aligned


@dataclass(frozen=True, eq=False)
class LogisticModel:
    """p(rise) = 1 / (1 + exp(-(intercept + sum_j coefficients_j * (x_j - means_j) / scales_j))).

    Parameters
    ----------
    means, scales, coefficients : ndarray of float64, shape (p,)
        Of the columns, in order.
    intercept : float
        The log odds at the means.
    """

    means: FloatArray
    scales: FloatArray
    coefficients: FloatArray
    intercept: float

    @classmethod
    def of(
        cls, means: Sequence[float], scales: Sequence[float], coefficients: Sequence[float], intercept: float
    ) -> LogisticModel:
        """Make a model from plain numbers, as a report or manifest has them."""
        return cls(np.asarray(means), np.asarray(scales), np.asarray(coefficients), intercept)


def unstandardised(
    coefficients: FloatArray, intercepts: FloatArray, means: FloatArray, scales: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Fold a standardisation into weights (m, p) and offsets (m,) of the columns as they are.

    A model's are the same digits among any others: BLAS would add up the products of one in another order.
    """
    weights = aligned(coefficients.shape)
    np.divide(coefficients, scales, out=weights)
    return weights, intercepts - (weights * means).sum(axis=1)


def logistic(weights: FloatArray, offsets: FloatArray, values: FloatArray, buffer: FloatArray) -> FloatArray:
    """Return p(rise) of a chunk of rows by each model, shape (m, k), as a view of `buffer` (m, k or more)."""
    p = buffer[:, : len(values)]
    np.matmul(weights, values.T, out=p)
    p += offsets[:, None]
    np.negative(p, out=p)
    with np.errstate(over="ignore"):
        np.exp(p, out=p)
    p += 1.0
    np.reciprocal(p, out=p)
    return p
