"""One pass over the rows that counts again what stored models claim to be: moments and optimum.

Every model of every fold is evaluated on a chunk of rows while it is at hand, so that the pass costs one
reading of the rows. All columns are taken relative to their means over the first chunk; without such a shift
the variance of a column that hardly moves far from zero, such as an index that rests at 100, would be what
rounding leaves of two large sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from trainer.candles.arrays import FloatArray, IntArray, aligned
from trainer.compiled.passes import logistic_sums_rounded
from trainer.evidence.stored_models import StoredModels
from trainer.features.products import Products, products_of
from trainer.learning.column_moments import MOSTLY
from trainer.learning.design_matrix import CHUNK_ROWS, DesignMatrix
from trainer.learning.logistic_model import logistic, unstandardised

LEAST_CURVATURE = 0.2
"""Mean of p(1-p) below which the rows are counted again in float64: certainties have too few digits else."""

NEAR, NEAR_INTERCEPT = 1.5e-6, 2e-6
"""Share of its spread, and log odds of all rows, by which a model may be from the optimum in float32: a tenth
of what `fit_check` allows. Beyond, the rows are counted in float64 before anything is said of the model.
"""

FIRST_ROWS = 256
"""So many rows say where the columns are, each by its median: one of them may be far away from all others."""

CONSTANT = 1e-6
"""Standard deviation below which a column counts as constant and its scale is 1."""


@dataclass(frozen=True, eq=False)
class Recount:
    """What the rows say of stored models.

    Parameters
    ----------
    stored : StoredModels
        Of which.
    means, deviations : ndarray of float64, shape (p,)
        Of the permitted rows.
    steps : ndarray of float64, shape (m,)
        What Newton's step from the coefficients to the optimum over the permitted rows, where the penalised
        loss is level, changes in a row's log odds: the standard deviation over these rows.
    intercept_steps : ndarray of float64, shape (m,)
        What it changes in the log odds of all rows alike.
    spreads : ndarray of float64, shape (m,)
        Standard deviation of each model's log odds over the permitted rows.
    """

    stored: StoredModels
    means: FloatArray
    deviations: FloatArray
    steps: FloatArray
    intercept_steps: FloatArray
    spreads: FloatArray

    @classmethod
    def of(
        cls,
        stored: StoredModels,
        origin: FloatArray,
        moments: _Moments,
        gradients: FloatArray,
        curvatures: FloatArray,
    ) -> Recount:
        """Make it of what was summed over the permitted rows, as for `_steps`."""
        steps, intercept_steps = _steps(stored, moments, gradients, curvatures)
        return cls(
            stored=stored,
            means=origin + moments.shift,
            deviations=moments.deviations,
            steps=steps,
            intercept_steps=intercept_steps,
            spreads=moments.spreads(_weights(stored, origin)[:, 1:]),
        )

    @property
    def is_near(self) -> bool:
        """Whether each model is so near its optimum that rounding cannot hide that it is not there."""
        return bool(
            (self.steps <= NEAR * self.spreads).all() and (self.intercept_steps <= NEAR_INTERCEPT).all()
        )


def recount(design: DesignMatrix, y: FloatArray, stored: Sequence[StoredModels]) -> list[Recount]:
    """Count again in one pass, for each of `stored` over its own rows.

    Parameters
    ----------
    design : DesignMatrix
        Labelled rows in order of time, n x p.
    y : ndarray of float64, shape (n,)
        Their labels, 0, 1 or 1/2.
    stored : sequence of StoredModels
        Each has at least one permitted row.
    """
    stops = sorted({models.permitted for models in stored})
    of_all = design.products if len(design) >= MOSTLY * len(design.values) else None
    if of_all is not None:
        origin = design.values[0].astype(np.float64)
        products_until = _products_by_others(design, of_all, stops)
    else:
        origin = next(design.chunks(0, min(CHUNK_ROWS, len(design))))[1].mean(axis=0)
        products_until = _products(design, origin, stops)
    permitted = np.repeat([models.permitted for models in stored], [len(models.Cs) for models in stored])

    def told(gradients: FloatArray, curvatures: FloatArray) -> list[Recount]:
        found = []
        stop = 0
        for models in stored:
            own = slice(stop, stop + len(models.Cs))
            stop = own.stop
            moments = _Moments.of(products_until[models.permitted], models.permitted)
            found.append(Recount.of(models, origin, moments, gradients[own], curvatures[own]))
        return found

    gradients, curvatures = _sums_rounded(design, y, origin, stored, permitted)
    if (curvatures >= LEAST_CURVATURE * permitted).all():
        found = told(gradients, curvatures)
        if all(each.is_near for each in found):
            return found
    weights = np.concatenate([_weights(models, origin) for models in stored])
    return told(*_sums(design, y, origin, weights, permitted))


def _products(design: DesignMatrix, origin: FloatArray, stops: Sequence[int]) -> dict[int, FloatArray]:
    """Return the sums of products of a one and the columns less `origin`, (p + 1, p + 1), up to each stop."""
    found = {}
    products = np.zeros((design.columns + 1, design.columns + 1))
    block = aligned((CHUNK_ROWS, design.columns + 1))
    block[:, 0] = 1.0
    for start, stop in pairwise([0, *stops]):
        for _, values in design.chunks(start, stop):
            part = block[: len(values)]
            np.subtract(values, origin, out=part[:, 1:])
            products += part.T @ part
        found[stop] = products.copy()
    return found


def _products_by_others(
    design: DesignMatrix, of_all: Products, stops: Sequence[int]
) -> dict[int, FloatArray]:
    """Return the same, the origin being the first row, by those of all rows: `check_features` checks them."""
    found = {}
    labelled = np.zeros(len(design.values), dtype=np.bool_)
    labelled[design.row] = True
    all_rows = np.zeros((design.columns + 1, design.columns + 1))
    of_others = np.zeros_like(all_rows)
    start = 0
    for stop in stops:
        end = int(design.row[stop - 1]) + 1
        others = start + np.flatnonzero(~labelled[start:end])
        all_rows = of_all.until(start, all_rows, end)
        of_others = of_others + products_of(design.values, 0, len(others), others)
        found[stop] = all_rows - of_others
        start = end
    return found


def _sums(
    design: DesignMatrix, y: FloatArray, origin: FloatArray, weights: FloatArray, permitted: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return the gradients of the summed log loss, (m, p + 1), and the sums of p(1-p), (m,)."""
    gradients, curvatures = np.zeros_like(weights), np.zeros(len(weights))
    block = aligned((CHUNK_ROWS, design.columns + 1))
    block[:, 0] = 1.0
    buffer = aligned((len(weights), CHUNK_ROWS))
    for start, stop in pairwise(np.unique([0, *permitted]).tolist()):
        learning = np.flatnonzero(permitted >= stop)
        active = weights[learning]
        for rows, values in design.chunks(start, stop):
            part, truth = block[: len(values)], y[rows]
            np.subtract(values, origin, out=part[:, 1:])
            residuals = logistic(active, np.zeros(len(active)), part, buffer[: len(active)])
            curvatures[learning] += residuals.sum(axis=1) - np.einsum("ij,ij->i", residuals, residuals)
            residuals -= truth
            gradients[learning] += residuals @ part
    return gradients, curvatures


def _sums_rounded(
    design: DesignMatrix,
    y: FloatArray,
    origin: FloatArray,
    stored: Sequence[StoredModels],
    permitted: IntArray,
) -> tuple[FloatArray, FloatArray]:
    """Return the same in float32.

    What rounding adds to a step is below a tenth of what one row more in 10**6 does (see `fit_check`), where
    the columns are taken relative to where most rows are; `origin` may be far from there.
    """
    first = next(design.chunks(0, min(FIRST_ROWS, len(design))))[1]
    middle = np.median(first, axis=0).astype(np.float32).astype(np.float64)
    weights = np.concatenate([_weights(models, middle) for models in stored])
    gradients, curvatures = np.zeros_like(weights), np.zeros(len(weights))
    for start, stop in pairwise(np.unique([0, *permitted]).tolist()):
        learning = np.flatnonzero(permitted >= stop)
        row, truth = design.row[start:stop], y[start:stop]
        found = logistic_sums_rounded(design.values, row, truth, middle, weights[learning])
        gradients[learning] += found[0]
        curvatures[learning] += found[1]
    gradients[:, 1:] += np.outer(gradients[:, 0], middle - origin)
    return gradients, curvatures


@dataclass(frozen=True, eq=False)
class _Moments:
    """Means less the origin (p,), covariance (p, p) and standard deviations (p,) of some rows."""

    shift: FloatArray
    covariance: FloatArray
    deviations: FloatArray

    @classmethod
    def of(cls, products: FloatArray, rows: int) -> _Moments:
        shift = products[0, 1:] / rows
        covariance = products[1:, 1:] / rows - np.outer(shift, shift)
        return cls(shift, covariance, np.sqrt(np.maximum(np.diag(covariance), 0.0)))

    def spreads(self, weights: FloatArray) -> FloatArray:
        variances = np.einsum("ij,jk,ik->i", weights, self.covariance, weights)
        return np.asarray(np.sqrt(np.maximum(variances, 0.0)))


def _weights(models: StoredModels, origin: FloatArray) -> FloatArray:
    """Return weights (m, p + 1) of a one and of the columns relative to the origin."""
    weights, offsets = unstandardised(
        models.coefficients, models.intercepts, models.means - origin, models.scales
    )
    return np.column_stack([offsets, weights])


def _steps(
    models: StoredModels, moments: _Moments, gradients: FloatArray, curvatures: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return `Recount.steps` and `Recount.intercept_steps`, from the sums over permitted rows.

    The Hessian is taken as the Gram matrix times the mean of p(1-p), as the fit does where the signal is
    weak; that needs no pass of its own, and is level at the same place.

    Parameters
    ----------
    gradients : ndarray of float64, shape (m, p + 1)
        Of the summed log loss by intercept and by weights of the columns relative to the origin.
    curvatures : ndarray of float64, shape (m,)
        Sums of p(1-p).
    """
    scales = np.where(moments.deviations < CONSTANT, 1.0, moments.deviations)
    penalties = 1.0 / np.asarray(models.Cs)[:, None]
    slopes = (gradients[:, 1:] - np.outer(gradients[:, 0], moments.shift)) / scales
    slopes += penalties * models.coefficients
    eigenvalues, vectors = np.linalg.eigh(moments.covariance / np.outer(scales, scales))
    eigenvalues = np.maximum(eigenvalues, 0.0)
    weight = np.maximum(curvatures, np.finfo(np.float64).tiny)
    rotated = slopes @ vectors / (weight[:, None] * eigenvalues + penalties)
    with np.errstate(over="ignore"):
        return np.sqrt(np.square(rotated) @ eigenvalues), np.abs(gradients[:, 0]) / weight
