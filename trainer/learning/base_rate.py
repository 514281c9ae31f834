"""What gates of the promotion look at besides the scores: the past's base rate, and the newest fold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trainer.candles.arrays import FloatArray


def base_rate_log_loss(base_rates: Sequence[float], truths: Sequence[FloatArray]) -> float:
    """Return the mean log loss of saying one probability for all rows of a fold, in nats.

    Parameters
    ----------
    base_rates : sequence of float
        What is said in each fold, above 0 and below 1: the share of rises that was known before it.
    truths : sequence of ndarray of float64
        The labels of each fold's test rows, from 0 to 1.
    """
    loss = 0.0
    for rate, y in zip(base_rates, truths, strict=True):
        rises = float(y.sum())
        loss -= rises * np.log(rate) + (len(y) - rises) * np.log1p(-rate)
    return float(loss / sum(map(len, truths)))
