"""Passes over drawn rows, whose digits are known."""

import hashlib

import numpy as np

from trainer.compiled import passes
from trainer.compiled.predictions import log_odds, probabilities, slope_derivatives, summed_losses


def digest_of_sums() -> str:
    """Return the SHA-256 of all digits that the compiled passes give, of some problems of all kinds."""
    digest = hashlib.sha256()
    draw = np.random.default_rng(7)
    values, row = draw.standard_normal((5000, 13)).astype(np.float32), np.arange(0, 5000, 2)
    weights, y = draw.standard_normal((6, 14)), draw.integers(0, 2, 2500).astype(float)
    origin, signs = np.ones(13), draw.choice([1.0, -1.0, 0.0], 3993)
    for sums in (
        passes.curved_sums(values, row, None, 3.0 * weights[:, 1:], weights[:, 0]),
        *passes.logistic_sums(values, row, y, origin, weights),
        *passes.logistic_sums_rounded(values, row, y, origin, weights),
        *passes.judged(values, 7, 4000, weights[:, 1:], weights[:, 0], 2, signs, 36.0),
        *passes.weighted_sums(values, row, y, origin),
        passes.products(values, 5, 4990, None, origin),
        probabilities(signs * draw.standard_exponential(3993)),
        log_odds(draw.random(3993), 1e-16),
        np.array(slope_derivatives(draw.standard_normal(2500), y, 0.1, 0.8)),
    ):
        digest.update(sums.tobytes())
    # One row at a time, where a last digit does not get lost in a sum.
    for at in range(1000):
        lost = passes.judged(values, at, at + 1, weights[:, 1:], weights[:, 0], 0, np.ones(1), 36.0)[1]
        digest.update(lost.tobytes())
        digest.update(np.float64(summed_losses(draw.random(1), y[at : at + 1], 1e-16)).tobytes())
    return digest.hexdigest()
