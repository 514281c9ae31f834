"""The path of L2-penalised logistic regressions over C, fitted for all C at once in few passes over the rows.

For each C the fit minimises scikit-learn's objective ``C * sum(log loss) + ||w||^2 / 2`` over standardised
features with a free intercept. Rows with a weak signal are fitted by `surrogate`, unless they are few; all
others here, by exact passes. Such a pass over the rows gives the gradients of all C. A step solves with the
Gram matrix of the features scaled by the mean of p(1-p): this is Böhning's bound, X'X/4 (Böhning & Lindsay
1988, Annals of the Institute of Statistical Mathematics 40), stretched by a factor below two, so that each
step still lowers the objective. For the weak signals of markets p(1-p) hardly varies and the step is nearly
Newton's, at one eigendecomposition for all C and iterations. Where it is not, because few rows or a strong
signal make p(1-p) vary, the contraction is slow, and the exact Hessian at the present point takes the bound's
place (Newton's method), as often as the contraction asks for it.

Standardisation is folded into the coefficients, so the rows are read as they are. All sums are of one order,
and float64 in the exact passes: results do not depend on alignment, nor on whether earlier folds were
computed or read from a checkpoint.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from common.errors import InternalError
from trainer.candles.arrays import FloatArray, aligned
from trainer.compiled.passes import logistic_sums
from trainer.learning.column_moments import Moments
from trainer.learning.design_matrix import CHUNK_ROWS
from trainer.learning.logistic_model import LogisticModel, logistic, unstandardised
from trainer.learning.numerics import LinAlgError, cho_factor, cho_solve
from trainer.learning.surrogate import Quadratic, fit_weak

RELATIVE_TOLERANCE = 1e-8
ABSOLUTE_TOLERANCE = 1e-10
"""A fit is done when no coefficient has further to go than either: a share of the largest one, log odds."""

SLOW = 0.25
"""Contraction of the decrement from step to step above which the Hessian is computed exactly."""

MAX_PASSES = 100
NEGLIGIBLE = 1e-12
"""Excess log loss a row at which a fit may end after `MAX_PASSES` (collinear columns, hardly penalised)."""


@dataclass(frozen=True, eq=False)
class LogisticPath:
    """Fitted models, one for each C.

    Parameters
    ----------
    means, scales : ndarray of float64, shape (p,)
        Standardisation of the rows that were trained on.
    coefficients : ndarray of float64, shape (m, p)
        Of the standardised features.
    intercepts : ndarray of float64, shape (m,)
        p(rise) = 1 / (1 + exp(-(intercept + sum_j coefficient_j * (x_j - mean_j) / scale_j))).
    passes : int
        Passes over the rows that the fit took.
    """

    means: FloatArray
    scales: FloatArray
    coefficients: FloatArray
    intercepts: FloatArray
    passes: int

    def model(self, position: int) -> LogisticModel:
        """Return the model of one C."""
        return LogisticModel(
            self.means, self.scales, self.coefficients[position], float(self.intercepts[position])
        )


def fit_path(
    moments: Moments, Cs: tuple[float, ...], start: tuple[FloatArray, FloatArray] | None = None
) -> LogisticPath:
    """Fit a logistic regression for each C on the rows that `moments` has taken in.

    Parameters
    ----------
    moments : Moments
        Of the training rows; names the design matrix and the labels, of which more than one must occur.
    Cs : tuple of float, length m
        Inverse regularisation strengths.
    start : (coefficients (m, p), intercepts (m,)), optional
        Where to begin, for example the fit of an earlier fold; zero and the base rate by default.

    Returns
    -------
    LogisticPath
        Coefficients within the tolerances of the optimum; exactly 0 for constants.

    Raises
    ------
    InternalError
        A fit did not settle within `MAX_PASSES` passes.
    """
    means, scales, correlation = moments.standardisation()
    if start is None:
        base_rate = moments.base_rate
        start = np.zeros((len(Cs), len(means))), np.full(len(Cs), np.log(base_rate / (1.0 - base_rate)))
    begin = np.column_stack([start[1], start[0]])
    eigenvalues, vectors = np.linalg.eigh(correlation)
    eigenvalues = np.maximum(eigenvalues, 0.0)
    quadratic = Quadratic(
        rows=moments.rows,
        means=means,
        scales=scales,
        correlation=correlation,
        eigenvalues=eigenvalues,
        vectors=vectors,
        labels=moments.with_labels(scales, correlation),
    )
    found = fit_weak(moments, quadratic, 1.0 / np.asarray(Cs), begin)
    if found is None:
        bound = _Bound(eigenvalues, vectors, moments.rows)
        found = _descended(moments, Cs, begin, _Rows(moments, means, scales), bound)
    thetas, passes = found
    coefficients = np.where(np.diag(correlation) > 0.0, thetas[:, 1:], 0.0)
    return LogisticPath(means, scales, coefficients, thetas[:, 0], passes)


def _descended(
    moments: Moments, Cs: tuple[float, ...], begin: FloatArray, rows: _Rows, bound: _Bound
) -> tuple[FloatArray, int]:
    descents = [_Descent(1.0 / C, theta) for C, theta in zip(Cs, begin, strict=True)]
    passes = 0
    while moving := [descent for descent in descents if not descent.done]:
        if passes == MAX_PASSES:
            if all(descent.decrement**2 <= NEGLIGIBLE * moments.rows for descent in moving):
                break
            raise InternalError(
                f"a logistic regression on {moments.rows} rows did not settle in {passes} passes"
            )
        passes += 1
        gradients, curvatures = rows.gradients(np.stack([descent.theta for descent in moving]))
        for descent, gradient, curvature in zip(moving, gradients, curvatures, strict=True):
            descent.advance(gradient, float(curvature), bound, rows)
    return np.stack([descent.theta for descent in descents]), passes


class _Descent:
    """One C on its way; `theta` is the intercept and the coefficients of standardised features."""

    def __init__(self, penalty: float, theta: FloatArray) -> None:
        self.penalty = penalty
        self.theta = theta
        self.done = False
        self._hessian: tuple[FloatArray, bool] | None = None
        self._step = np.zeros_like(theta)
        self.decrement = 0.0

    def advance(self, gradient: FloatArray, curvature: float, bound: _Bound, rows: _Rows) -> None:
        gradient[1:] += self.penalty * self.theta[1:]
        if gradient @ self._step > 0.5 * self.decrement**2:
            # Rising again, and steeply: the step went too far (only an exact Hessian's can).
            self._step = 0.5 * self._step
            self.decrement *= math.sqrt(0.5)
            self.theta = self.theta - self._step
            return
        step, decrement = self._solve(gradient, curvature, bound)
        contraction = decrement / self.decrement if self.decrement > 0.0 else 1.0
        if self.decrement > 0.0 and contraction > SLOW:
            self._hessian = _factored(rows.hessian(self.theta), self.penalty)
            step, decrement = self._solve(gradient, curvature, bound)
            contraction = 1.0
        self.theta = self.theta + step
        self._step, self.decrement = step, decrement
        still_to_go = min(contraction / (1.0 - contraction), 1.0) if contraction < 1.0 else 1.0
        size = float(np.abs(self.theta[1:]).max(initial=0.0)) + 1e-3
        error = float(np.abs(step).max()) * still_to_go
        self.done = error <= min(RELATIVE_TOLERANCE * size, ABSOLUTE_TOLERANCE)

    def _solve(self, gradient: FloatArray, curvature: float, bound: _Bound) -> tuple[FloatArray, float]:
        if self._hessian is None:
            step = -bound.solve(gradient, curvature, self.penalty)
        else:
            step = -cho_solve(self._hessian, gradient)
        return step, math.sqrt(max(-float(gradient @ step), 0.0))


def _factored(hessian: FloatArray, penalty: float) -> tuple[FloatArray, bool] | None:
    diagonal = np.full(len(hessian), penalty)
    diagonal[0] = 0.0
    try:
        factor: tuple[FloatArray, bool] = cho_factor(hessian + np.diag(diagonal), lower=True)
    except LinAlgError:
        # Collinear columns with next to no penalty; the bound's eigenbasis can still be solved.
        return None
    return factor


class _Bound:
    """Böhning's bound in the eigenbasis of the Gram matrix, where penalties and curvatures are diagonals."""

    def __init__(self, eigenvalues: FloatArray, vectors: FloatArray, rows: int) -> None:
        self._vectors = vectors
        self._values = rows * eigenvalues
        self._rows = rows

    def solve(self, gradient: FloatArray, curvature: float, penalty: float) -> FloatArray:
        # A curvature of 1/4 never rises; half of that doubles the step, the most that still cannot.
        curvature = max(curvature, 0.125)
        rotated = (self._vectors.T @ gradient[1:]) / (curvature * self._values + penalty)
        return np.concatenate([[gradient[0] / (curvature * self._rows)], self._vectors @ rotated])


class _Rows:
    """The training rows: gradients of many models at once, the exact Hessian of one."""

    def __init__(self, moments: Moments, means: FloatArray, scales: FloatArray) -> None:
        self._design = moments.design
        self._stop = moments.rows
        self._y = moments.y
        self._means = means
        self._scales = scales
        self._no_origin = np.zeros(len(means))

    def gradients(self, thetas: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the gradients of the summed log loss, (m, p + 1), and the means of p(1-p), (m,)."""
        weights, offsets = unstandardised(thetas[:, 1:], thetas[:, 0], self._means, self._scales)
        row, y = self._design.row[: self._stop], self._y[: self._stop]
        as_they_are = np.column_stack([offsets, weights])
        gradients, curvatures = logistic_sums(self._design.values, row, y, self._no_origin, as_they_are)
        gradients[:, 1:] -= np.outer(gradients[:, 0], self._means)
        gradients[:, 1:] /= self._scales
        return gradients, curvatures / self._stop

    def hessian(self, theta: FloatArray) -> FloatArray:
        """Return the Hessian of the summed log loss, (p + 1, p + 1)."""
        weights, offsets = unstandardised(theta[None, 1:], theta[:1], self._means, self._scales)
        hessian = np.zeros((len(theta), len(theta)))
        buffer = aligned((1, CHUNK_ROWS))
        block = aligned((CHUNK_ROWS, len(theta)))
        for rows, values in self._design.chunks(0, self._stop):
            p = logistic(weights, offsets, values, buffer)[0]
            part = block[: rows.stop - rows.start]
            part[:, 0] = 1.0
            np.subtract(values, self._means, out=part[:, 1:])
            part[:, 1:] /= self._scales
            part *= np.sqrt(p * (1.0 - p))[:, None]
            hessian += part.T @ part
        return hessian
