"""Which rows stand in for all: more of those that weigh more, each counted as often as it was left out.

The rows are drawn systematically with unequal probabilities (Madow 1949, Annals of Mathematical Statistics
20): these are added up in order of time, and a row is taken where the sum passes a half. So the sample is
spread over time, and no generator of random numbers takes part. A sum over it is estimated by the inverse
probabilities (Horvitz & Thompson 1952, Journal of the American Statistical Association 47). A part of them
is equal for all rows, so that no row stands for too many, however large a few others are: a defensive mixture
(Hesterberg 1995, Technometrics 37).
"""

from __future__ import annotations

import numpy as np

from trainer.candles.arrays import FloatArray, IntArray
from trainer.compiled.passes import draw

EQUAL_SHARE = 0.2
"""Share of the sample that is drawn whatever the sizes are."""


def drawn(sizes: FloatArray, count: int) -> tuple[IntArray, FloatArray]:
    """Draw rows with probabilities that rise with their sizes.

    Parameters
    ----------
    sizes : ndarray of float64, shape (n,)
        None negative. Where their sum is 0 or next to it, or not finite, they do not count.
    count : int
        How many to draw, 1 to n. Rows that are large enough are taken for certain, so that it may be fewer.

    Returns
    -------
    positions : ndarray of int64, shape (k,)
        Ascending.
    weights : ndarray of float64, shape (k,)
        How many rows each stands for: 1 to n / (count * EQUAL_SHARE).
    """
    rows = len(sizes)
    total = float(sizes.sum())
    a_size = (1.0 - EQUAL_SHARE) * count / total if 0.0 < total < np.inf else np.inf
    if not np.isfinite(a_size):
        return draw(np.zeros(rows), 0.0, count / rows, count)
    return draw(sizes, a_size, EQUAL_SHARE * count / rows, count)
