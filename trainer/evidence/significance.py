"""How likely a score this good is by luck: a rank-sum test for series that depend on their own past.

The statistic is the area under the ROC curve, whose influence function, where predictions and labels are
independent, is the product of the prediction's centred placement and the centred label (Hanley & McNeil
1982; DeLong, DeLong & Clarke-Pearson 1988). Labels of neighbouring rows share bars and predictions follow
slow features, so these products are autocorrelated; the textbook variance takes them for independent and
finds far too much.

Under independence the autocovariance of the products is the product of the autocovariances (Bartlett 1935,
Journal of the Royal Statistical Society 98). Each factor is measured better than the product: the
predictions' own autocovariance is no estimate at all, given the predictions, and a lag counts only if both
series have it. With Bartlett's weights (Newey & West 1987, Econometrica 55) the sum is never negative, and
its sampling error is met by Student's t instead of the normal distribution, as fixed-b theory asks (Kiefer &
Vogelsang 2005, Econometric Theory 21).

What was measured, and which methods it was chosen from, is in ``deploy/significance.md``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.fft import irfft, rfft

from trainer.candles.arrays import FloatArray
from trainer.compiled.predictions import midranks
from trainer.compiled.spectra import add_spectra
from trainer.evidence.transforms import fast_length
from trainer.features.indicators import WARM_UP
from trainer.learning.numerics import stdtr

BLOCK_ROWS = 16_384
"""Rows of a block, which is half the length of a transform, unless the lags reach too far for it."""


@dataclass(frozen=True)
class RankSum:
    """The test of one score; `score` and `lift` are in units of the rank sum divided by the rows.

    `lift` is what fading the past adds to the score where nothing can be predicted, `variance` its variance
    there, and `freedom` the degrees of freedom of Student's t.
    """

    score: float
    lift: float
    variance: float
    freedom: float

    @property
    def p_value(self) -> float:
        """The one-sided p-value, 0 to 1."""
        if self.variance <= 0:
            return float(self.score - self.lift <= 0)
        return float(stdtr(self.freedom, -(self.score - self.lift) / np.sqrt(self.variance)))


def auc_p_value(
    p: FloatArray, y: FloatArray, horizon: int, memory: int = WARM_UP, ranks: FloatArray | None = None
) -> float:
    """Return the one-sided p-value of an area under the ROC curve above one half.

    It is that of `rank_sum`, from 0 to 1; 1 where there is no test.
    """
    test = rank_sum(p, y, horizon, memory, ranks)
    return 1.0 if test is None else test.p_value


def rank_sum(
    p: FloatArray, y: FloatArray, horizon: int, memory: int = WARM_UP, ranks: FloatArray | None = None
) -> RankSum | None:
    """Test whether an area under the ROC curve is above one half.

    Parameters
    ----------
    p : ndarray of float64, shape (n,)
        Predictions in order of time; only their ranks matter.
    y : ndarray of float64, shape (n,)
        Labels of the same rows: 0 and 1, and 1/2 for neither.
    horizon : int
        Bars that a label spans, at least 1; labels of rows less than that apart share bars.
    memory : int
        Bars that a prediction looks back on. A longer memory, of coarser timeframes, is covered as far as the
        lags reach that so many rows allow anyway: n to the power of 2/3.
    ranks : ndarray of float64, shape (n,), optional
        `midranks` of the predictions, where they are known already.

    Returns
    -------
    RankSum or None
        None where there is one class only, where all predictions are equal, or where there are fewer than 3
        rows. Equal inputs give equal results.

    Notes
    -----
    Rows on both sides of a gap in time count as neighbours. They are less alike than neighbours, so that the
    variance comes out a little too large, if anything.
    """
    rows = len(y)
    reach = min(max(6 * horizon, memory + horizon, int(rows ** (2 / 3))), rows // 3)
    if reach < 1 or not (y != y[0]).any():
        return None
    ranks = midranks(p) if ranks is None else ranks
    middle, mean = (rows + 1) / 2, float(y.mean())
    spread = score = 0.0
    for start in range(0, rows, BLOCK_ROWS):
        placement = (ranks[start : start + BLOCK_ROWS] - middle) / rows
        spread += float(placement @ placement)
        score += float(placement @ (y[start : start + BLOCK_ROWS] - mean))
    if not spread:
        return None
    # What the predictions explain is no noise: left in, a signal that repeats or lasts would raise the
    # variance that it is measured by.
    slope = score / spread
    of_p, of_y, p_after_y = covariances(ranks, y, (middle, mean), slope / rows, reach)
    of_p /= rows**2
    p_after_y /= rows
    lag = np.arange(1, reach + 1)
    weight = 1 - lag / (reach + 1)
    like_p, like_y = of_p[1:] / of_p[0], of_y[1:] / max(of_y[0], np.finfo(np.float64).tiny)
    variance = of_p[0] * of_y[0] * (1 + 2 * float(weight @ (like_p * like_y))) / rows
    # Centring by the sample's own mean makes slow series look less so, by the share of the rows that the
    # predictions' run of likeness takes.
    variance /= max(1 - (1 + 2 * float(weight @ like_p)) / rows, 0.2)
    # The weights take this share from labels that overlap.
    variance *= 1 + (horizon - 1 / horizon) / (3 * (reach + 1))
    # Sampling error of the summed products, as degrees of freedom; one went into the slope.
    error = 2 * float(weight**2 @ (like_p**2 + like_y**2))
    freedom = max(rows / max(error, 1.0) - 1, 1.5)
    variance *= 1 + 1 / freedom
    lift = lift_of_fading(p_after_y, like_p, rows)
    variance += 3 * lift * lift
    return RankSum(score, lift, float(variance), float(freedom))


def covariances(
    ranks: FloatArray, y: FloatArray, middles: tuple[float, float], slope: float, reach: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return sums of products at lags, by fast transforms padded so that nothing wraps around.

    Ranks and outcomes count less their middles. The ranks' with themselves and what `slope` times the ranks
    leaves of the outcomes with itself, at the lags 0 to `reach`, and ranks with outcomes 1 to `reach` rows
    before them.

    Long series are taken in blocks that the caches have room for, the rows of each with those and with the
    next block's. What they add is summed up before it is transformed back.
    """
    rows = len(y)
    step = fast_length(max(BLOCK_ROWS, reach))
    length = 2 * step
    if rows + reach <= length:
        step, length = rows, fast_length(rows + reach)
    sums = np.zeros((3, length // 2 + 1), dtype=np.complex128)
    nothing = np.zeros_like(sums[0])
    following = nothing, nothing
    for start in reversed(range(0, rows, step)):
        p, outcome = (
            series[start : start + step] - middle for series, middle in zip((ranks, y), middles, strict=True)
        )
        outcome -= slope * p
        block = rfft(p, length), rfft(outcome, length)
        add_spectra(block, following, sums)
        following = block
    # Outcomes are what ranks leave of them and their share of the ranks.
    sums[2] += slope * sums[0]
    own_p, own_y, later = (irfft(each, length)[: reach + 1] for each in sums)
    return own_p, own_y, later[1:]


def lift_of_fading(p_after_y: FloatArray, like_p: FloatArray, rows: int) -> float:
    """Return by how much the score is raised because the predictions fade the labels before them.

    Ranks are taken among all rows, later ones too, and later predictions are made of this row's outcome.
    Who always says that what rose will fall ranks a row before a rise above the rows that follow it, and so
    scores though nothing can be predicted. This is Stambaugh's bias (1999, Journal of Financial Economics
    54), by Kendall's approximation (1954, Biometrika 41): once for the centring, twice for the scaling.

    Who follows past labels loses by the same; that is not made good, so that no score is ever raised.
    """
    reach = len(p_after_y)
    raised = -float(p_after_y @ (1 + 2 * like_p)) / rows / (1 - reach / rows)
    return max(raised, 0.0)
