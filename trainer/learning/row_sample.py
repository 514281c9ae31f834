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
    if np.isfinite(a_size):
        chances = sizes * a_size
        chances += EQUAL_SHARE * count / rows
        np.minimum(chances, 1.0, out=chances)
    else:
        chances = np.full(rows, count / rows)
    passed = np.zeros(rows + 1, dtype=np.int64)
    # Rounded down, as none is negative.
    passed[1:] = np.cumsum(chances) + 0.5
    positions = np.flatnonzero(passed[1:] != passed[:-1])
    return positions, 1.0 / chances[positions]
