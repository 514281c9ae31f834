"""Fits to rows whose signal is weak; to many of them in one or two passes.

The gradient of the log loss is a part that is linear in the coefficients, exact from the rows' moments, and
the sum of a small curved part (see `curved_part`). Where that sum is needed at many points, a sample of the
rows stands in for all: first alone, which gives coefficients to about 3e-4, then corrected by what the sample
misses at one point, known by a pass over all rows. Each such pass divides the error by hundreds. The sample
is drawn by the rows' lengths (see `row_sample`), since the largest rows bend the log loss most: as many rows
at equal distances would miss four times as much before the first pass, and again after it.
This is the surrogate likelihood of Jordan, Lee & Yang (2019, Journal of the American Statistical Association
114), with the quadratic part made exact.

What the sample still misses after a pass is estimated by what its two halves say differently of the way that
was gone since. A model for which that is not small enough takes part in another pass. There the step is
mostly so short that what it leaves is small enough without the sample, as the pass before has shown.

Where rows are fewer no sample is worth its drawing, and each step takes a pass over all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainer.candles.arrays import FloatArray, IntArray
from trainer.learning.column_moments import Moments
from trainer.learning.curved_part import CurvedPart
from trainer.learning.logistic_model import unstandardised

LEAST_ROWS = 4096
"""Of fewer rows the scores show what is rounded here, and passes in float64 take no more time."""

SAMPLED_FROM = 16_384
"""Fewer rows are fitted without a sample."""

SAMPLE_ROWS = 8192
"""About so many rows are in the sample, or `SAMPLE_SHARE` of all if they are more."""

SAMPLE_SHARE = 0.03
"""Of 0.03 to 0.12 this took the least time: what larger samples saved in passes they cost themselves."""

TOLERANCE = 5e-8
"""A model is done when no coefficient is expected to be further from the optimum, as a share of the largest
one (taken as `LEAST_SIZE` at least). With 4e-7 most folds of minutes would end after one pass, but log losses
of them and the AUC, which counts pairs of rows next to each other, came to be 1.4e-9 away.
"""

TOLERANCE_OF_FEW = 1e-8
"""The same without a sample: fewer rows make the scores of fewer say more of each digit."""

LEAST_SIZE = 2e-4

SAFETY = 2.0
"""What the halves of the sample show is taken times this."""

CLOSE = 1e-3
"""A step in log odds after which the sample has no more to say before the first pass: the next would be
lost in what the sample misses."""

MOST_STEPS = 8
MOST_PASSES = 4
MOST_PASSES_OF_FEW = 16

LEAST_CURVATURE = 0.2
"""Mean of p(1-p) below which the signal is not weak; certain predictions have 0, the least certain 1/4."""

LARGEST_MISS = 0.25
"""Share of a column's variance by which a sample's may be off. Where a few rows are all that a column has to
say, a sample without them would not know that it misses anything; columns of markets are 0.05 off at most.
"""

FURTHEST_FROM_ZERO = 100.0
"""Standard deviations of a column that its mean may be from zero; beyond, float32 has too few digits."""


@dataclass(frozen=True, eq=False)
class Quadratic:
    """The penalised log loss but for its curved part, in the eigenbasis of the correlations.

    Parameters
    ----------
    rows : int
        How many are fitted to.
    means, scales : ndarray of float64, shape (p,)
        The standardisation.
    correlation, vectors : ndarray of float64, shape (p, p)
        Correlations of the columns and their eigenvectors.
    eigenvalues : ndarray of float64, shape (p,)
        None is negative.
    labels : ndarray of float64, shape (p + 1,)
        `Moments.with_labels`.
    """

    rows: int
    means: FloatArray
    scales: FloatArray
    correlation: FloatArray
    eigenvalues: FloatArray
    vectors: FloatArray
    labels: FloatArray

    def standardised(self, sums: FloatArray) -> FloatArray:
        """Turn sums over the columns as they are, (m, p + 1), into those over standardised ones."""
        return np.column_stack([sums[:, 0], (sums[:, 1:] - np.outer(sums[:, 0], self.means)) / self.scales])

    def gradients(self, thetas: FloatArray, penalties: FloatArray, curved: FloatArray) -> FloatArray:
        """Return the gradients at `thetas`, (m, p + 1), where the curved part's are `curved`."""
        found = curved - self.labels
        found[:, 0] += 0.25 * self.rows * thetas[:, 0]
        found[:, 1:] += 0.25 * self.rows * (thetas[:, 1:] @ self.correlation)
        found[:, 1:] += penalties[:, None] * thetas[:, 1:]
        return found

    def curvatures(self, thetas: FloatArray, curved: FloatArray) -> FloatArray:
        """Return about the mean p(1-p) of each model, (m,): the slope of its curved part, and 1/4."""
        squares = np.einsum("ij,jk,ik->i", thetas[:, 1:], self.correlation, thetas[:, 1:])
        squares = self.rows * (squares + np.square(thetas[:, 0]))
        along = np.einsum("ij,ij->i", curved, thetas)
        return np.asarray(0.25 + along / np.maximum(squares, np.finfo(np.float64).tiny))

    def solve(self, gradients: FloatArray, penalties: FloatArray, curvatures: FloatArray) -> FloatArray:
        """Return what would level the gradients if p(1-p) were everywhere its mean, (m, p + 1)."""
        values = self.rows * np.outer(curvatures, self.eigenvalues) + penalties[:, None]
        rotated = (gradients[:, 1:] @ self.vectors) / values
        return np.column_stack([gradients[:, 0] / (self.rows * curvatures), rotated @ self.vectors.T])


def fit_weak(
    moments: Moments, quadratic: Quadratic, penalties: FloatArray, start: FloatArray
) -> tuple[FloatArray, int] | None:
    """Fit a logistic regression for each penalty on the rows that `moments` has taken in.

    Parameters
    ----------
    moments : Moments
        Of the training rows.
    quadratic : Quadratic
        Of the same rows.
    penalties : ndarray of float64, shape (m,)
        Of half the sum of squared coefficients.
    start : ndarray of float64, shape (m, p + 1)
        Intercepts and coefficients of standardised columns to begin at.

    Returns
    -------
    (ndarray of float64, shape (m, p + 1), int) or None
        Intercepts and coefficients, and the passes over all rows; None where there are too few rows, the
        signal is not weak, or `MOST_PASSES` are not enough (`MOST_PASSES_OF_FEW` without a sample).
    """
    rows = moments.rows
    distances = np.abs(quadratic.means / quadratic.scales)
    if rows < LEAST_ROWS or distances.max(initial=0.0) > FURTHEST_FROM_ZERO:
        return None
    if rows < SAMPLED_FROM:
        return _Fit(moments, quadratic, penalties, start.copy()).settled()
    fit = _SampledFit(moments, quadratic, penalties, start.copy())
    if not fit.largest_miss <= LARGEST_MISS or not fit.approach():
        return None
    for passes in range(1, MOST_PASSES + 1):
        if not fit.correct():
            return None
        if not len(fit.moving):
            return fit.thetas, passes
    return None


class _Fit:
    """The models on their way; `moving` are those that are not done, positions among the m."""

    def __init__(
        self, moments: Moments, quadratic: Quadratic, penalties: FloatArray, thetas: FloatArray
    ) -> None:
        self.thetas = thetas
        self.moving = np.arange(len(thetas))
        self._quadratic = quadratic
        self._penalties = penalties
        self._all = CurvedPart.of(moments.design, moments.rows)

    def settled(self) -> tuple[FloatArray, int] | None:
        """Go by passes over all rows, each with a step; return as `fit_weak` does."""
        moved_before = np.full(len(self.thetas), np.finfo(np.float64).tiny)
        for passes in range(1, MOST_PASSES_OF_FEW + 1):
            moving = self.moving
            curved = self._sums(self._all, self.thetas[moving]).sum(axis=0)
            curvatures = self._curvatures(curved)
            if curvatures is None:
                return None
            moved = self._step(curved, curvatures)
            left = np.minimum(moved, 0.5 * moved_before[moving]) / moved_before[moving]
            moved_before[moving] = np.maximum(moved, np.finfo(np.float64).tiny)
            # What is no number is not done: the next step gives it up.
            done = moved * left / (1.0 - left) <= TOLERANCE_OF_FEW * self._sizes(moving)
            self.moving = moving[~done]
            if not len(self.moving):
                return self.thetas, passes
        return None

    def _sizes(self, models: IntArray) -> FloatArray:
        largest = np.abs(self.thetas[models, 1:]).max(axis=1, initial=0.0)
        return np.asarray(np.maximum(largest, LEAST_SIZE))

    def _sums(self, part: CurvedPart, thetas: FloatArray) -> FloatArray:
        """Return the curved part's sums over standardised columns by even and odd spans, (2, k, p + 1)."""
        quadratic = self._quadratic
        weights, offsets = unstandardised(thetas[:, 1:], thetas[:, 0], quadratic.means, quadratic.scales)
        return np.stack([quadratic.standardised(half) for half in part.sums(weights, offsets)])

    def _curvatures(self, curved: FloatArray) -> FloatArray | None:
        found = self._quadratic.curvatures(self.thetas[self.moving], curved)
        return found if (found >= LEAST_CURVATURE).all() else None

    def _step(self, curved: FloatArray, curvatures: FloatArray) -> FloatArray:
        """Step to where the gradients would be level; return the furthest that a coefficient moved, (k,)."""
        moving, quadratic = self.moving, self._quadratic
        penalties = self._penalties[moving]
        gradients = quadratic.gradients(self.thetas[moving], penalties, curved)
        step = quadratic.solve(gradients, penalties, curvatures)
        self.thetas[moving] -= step
        return np.asarray(np.abs(step).max(axis=1))


class _SampledFit(_Fit):
    """The same with a sample of the rows."""

    def __init__(
        self, moments: Moments, quadratic: Quadratic, penalties: FloatArray, thetas: FloatArray
    ) -> None:
        super().__init__(moments, quadratic, penalties, thetas)
        count = max(SAMPLE_ROWS, int(moments.rows * SAMPLE_SHARE))
        self._sample = CurvedPart.sampled(moments.design, moments.sizes, count)
        # What a step leaves of the way, as far as the sample shows; unknown at first.
        self._left = np.ones(len(thetas))

    @property
    def largest_miss(self) -> float:
        """The largest share of a column's variance by which the sample's is off."""
        quadratic = self._quadratic
        varies = np.diag(quadratic.correlation) > 0.0
        off = np.abs(self._sample.variances(quadratic.means) / np.square(quadratic.scales) - 1.0)
        return float(off[varies].max(initial=0.0))

    def approach(self) -> bool:
        """Go by the sample alone; return whether the signal is weak enough to be gone on with."""
        for _ in range(MOST_STEPS):
            curved = self._sums(self._sample, self.thetas).sum(axis=0)
            curvatures = self._curvatures(curved)
            if curvatures is None:
                return False
            if self._step(curved, curvatures).max() <= CLOSE:
                return True
        return False

    def correct(self) -> bool:
        """Go on by one pass over all rows; return whether the signal is weak enough for that."""
        self._round()
        moving = self.moving
        before = self.thetas[moving]
        curved = self._sums(self._all, before).sum(axis=0)
        curvatures = self._curvatures(curved)
        if curvatures is None:
            return False
        moved = self._step(curved, curvatures)
        tolerance = TOLERANCE * self._sizes(moving)
        if (SAFETY * self._left[moving] * moved <= tolerance).all():
            self.moving = moving[:0]
            return True
        changes = self._sums(self._sample, self.thetas[moving]) - self._sums(self._sample, before)
        moved_on = self._step(curved + changes.sum(axis=0), curvatures)
        self._left[moving] = moved_on / np.maximum(moved, np.finfo(np.float64).tiny)
        missed = self._quadratic.solve(changes[0] - changes[1], self._penalties[moving], curvatures)
        self.moving = moving[SAFETY * np.abs(missed).max(axis=1) > tolerance]
        return True

    def _round(self) -> None:
        # Else the pass would be at other weights than those that the sample is compared at.
        weights = (self.thetas[self.moving, 1:] / self._quadratic.scales).astype(np.float32)
        self.thetas[self.moving, 1:] = weights * self._quadratic.scales
