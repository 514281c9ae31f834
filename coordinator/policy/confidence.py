"""The interval that holds a score with a given confidence, from the test behind its p-value."""

from __future__ import annotations

import math
from statistics import NormalDist

from common.protocol.curves import NullDistribution

CONFIDENCE = 0.95


def interval_of(null: NullDistribution, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the interval of an AUC, within 0 to 1.

    The standard error is that of the test against luck, overlap and slow volatility included. It is exact
    where nothing can be predicted; near 0.5, where the AUC of markets lie, it is that of the score itself to
    a few per cent.

    Parameters
    ----------
    null : NullDistribution
        The test; `center` beyond one half is what fading the past adds, and belongs to the score.
    confidence : float
        Share of such intervals that hold the true value, above 0 and below 1.
    """
    reach = student_quantile((1 + confidence) / 2, null.freedom) * null.standard_error
    return max(null.observed - reach, 0.0), min(null.observed + reach, 1.0)


def student_quantile(share: float, freedom: float) -> float:
    """Return the value below which Student's t lies with the probability `share`, above one half.

    Hill's algorithm 396 (Communications of the ACM 13, 1970), exact for 1 and 2 degrees of freedom and to 4
    digits above; below 2 it is that of 1, which is wider.
    """
    both = 2 * (1 - share)
    if freedom < 2:
        return math.tan(math.pi * (share - 0.5))
    if freedom == 2:
        return math.sqrt(2 / (both * (2 - both)) - 2)
    a = 1 / (freedom - 0.5)
    b = 48 / a**2
    c = ((20_700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * math.sqrt(a * math.pi / 2) * freedom
    y = (d * both) ** (2 / freedom)
    if y > 0.05 + a:
        x = NormalDist().inv_cdf(both / 2)
        y = x * x
        if freedom < 5:
            c += 0.3 * (freedom - 4.5) * (x + 0.6)
        c = (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b + c
        y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
        y = math.expm1(a * y * y)
    else:
        inner = ((freedom + 6) / (freedom * y) - 0.089 * d - 0.822) * (freedom + 2) * 3
        y = ((1 / inner + 0.5 / (freedom + 4)) * y - 1) * (freedom + 1) / (freedom + 2) + 1 / y
    return math.sqrt(freedom * y)
