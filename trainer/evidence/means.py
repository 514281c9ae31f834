"""Whether the mean of a series that depends on its own past is above zero: a one-sided t-test.

The variance is that of Newey and West (1987, Econometrica 55); Student's t with the degrees of freedom of
Bartlett's weights meets its sampling error (Kiefer & Vogelsang 2005, Econometric Theory 21). Used on
differences of losses it is the test of Diebold and Mariano (1995, J. Business & Economic Statistics 13).
"""

from __future__ import annotations

import numpy as np
from numpy.fft import irfft, rfft

from trainer.candles.arrays import FloatArray
from trainer.evidence.transforms import fast_length
from trainer.learning.numerics import stdtr


def mean_p_value(values: FloatArray, horizon: int) -> float:
    """Return the one-sided p-value of a mean above zero.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        In order of time.
    horizon : int
        Bars that a label spans; values less than that apart depend on each other.

    Returns
    -------
    float
        From 0 to 1; 1 where there are fewer than 8 values, or where all are equal and none is above zero.
    """
    rows = len(values)
    reach = min(max(3 * horizon, round(rows ** (1 / 3))), rows // 4)
    if reach < 2:
        return 1.0
    mean = float(values.mean())
    length = fast_length(rows + reach)
    spectrum = rfft(values - mean, length)
    sums = irfft(spectrum.real**2 + spectrum.imag**2, length)[: reach + 1]
    weight = 1 - np.arange(1, reach + 1) / (reach + 1)
    variance = float(sums[0] + 2 * weight @ sums[1:]) / rows
    # Centring by the sample's own mean takes this share of the variance.
    variance /= 1 - (1 + 2 * float(weight.sum())) / rows
    if variance <= 0.0:
        return float(mean <= 0.0)
    freedom = rows / (1 + 2 * float(weight @ weight)) - 1
    return float(stdtr(freedom, -mean / np.sqrt(variance / rows)))


def auc_influence(p: FloatArray, y: FloatArray) -> FloatArray:
    """Return what each row adds to the area under the ROC curve, shape (n,); their mean is the area.

    A rise adds the share of falls that are ranked below it, a fall the share of rises above it, each half
    (DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44), weighted by the share of its class.

    Parameters
    ----------
    p, y : ndarray of float64, shape (n,)
        Predictions, and labels of different outcomes: 0, 1, and 1/2 for neither. Of three, a pair counts as
        its outcomes differ.
    """
    above = y > 0.5
    level = y == 0.5
    under = ~(above | level)
    rows_of = {"rises": above, "levels": level, "falls": under}
    below = {name: _below(p[rows], p) for name, rows in rows_of.items()}
    rises, levels, falls = (int(np.count_nonzero(rows)) for rows in (above, level, under))
    risen = below["falls"] + below["levels"] / 2
    fallen = rises - below["rises"] + (levels - below["levels"]) / 2
    won = np.select([above, under], [risen, fallen], (below["falls"] + rises - below["rises"]) / 2)
    pairs = np.select([above, under], [falls + levels / 2, rises + levels / 2], (rises + falls) / 2)
    area = float(won.sum() / pairs.sum())
    influence: FloatArray = area + 2 * len(p) * (won - area * pairs) / pairs.sum()
    return influence


def _below(values: FloatArray, p: FloatArray) -> FloatArray:
    """Return how many of `values` are below each of `p`, equal ones as half."""
    ordered = np.sort(values)
    return (np.searchsorted(ordered, p, "left") + np.searchsorted(ordered, p, "right")) / 2
