"""Passes over drawn rows, whose digits are known."""

import hashlib

import numpy as np

from trainer.compiled import edges, features, passes, spectra
from trainer.compiled.predictions import (
    log_odds,
    probabilities,
    raised,
    ranked_and_ordered,
    slope_derivatives,
    summed_losses,
    tallies,
)


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
        *passes.logistic_sums_rounded(values, row, y, origin, 0.1 * weights),
        *passes.judged(values, 7, 4000, weights[:, 1:], weights[:, 0], 2, signs, 36.0),
        *passes.judged(values, 7, 4000, 0.1 * weights[:, 1:], weights[:, 0], 2, signs, 36.0, rounded=True),
        *passes.weighted_sums(values, row, y),
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
    for found in _of_outcomes(draw):
        digest.update(found.tobytes())
    return digest.hexdigest()


def _of_outcomes(draw: np.random.Generator) -> list[np.ndarray]:
    """What is made of predictions and of what came of them."""
    p, moves, added = draw.random(2500), draw.standard_normal(2500), draw.standard_normal(2500)
    y = draw.choice([0.0, 0.5, 1.0], 2500)
    high, low = edges.end_of(p, 250, True), edges.end_of(p, 250, False)
    means = edges.sums_of_ends(p, moves, high, low)
    parts = np.empty(2500)
    edges.parts_of_ends(p, moves, high, low, means, 250, parts)
    spectrum = draw.standard_normal((4, 1001)) + 1j * draw.standard_normal((4, 1001))
    sums = np.zeros((3, 1001), dtype=np.complex128)
    spectra.add_spectra((spectrum[0], spectrum[1]), (spectrum[2], spectrum[3]), sums)
    numbers = *means, edges.window_squares(parts, 17), *edges.overconfidence(p, y, added, 9), *tallies(p, y)
    ranks, ascending, outcomes = ranked_and_ordered(p, y)
    return [
        parts,
        sums,
        np.array(numbers),
        edges.moves_of(1.0 + p, np.arange(2400), 7),
        np.concatenate([ranks, ascending, outcomes]),
        np.array([raised(ascending, outcomes, p[::3])]),
    ]


def digest_of_features() -> str:
    """Return the SHA-256 of the features of drawn bars, of which no logarithms are taken."""
    digest = hashlib.sha256()
    draw = np.random.default_rng(8)
    n, m = 1500, 1437
    close = 100.0 + 0.25 * np.cumsum(draw.integers(-2, 3, n))
    opened = np.concatenate([close[:1], close[:-1]])
    high, low = np.maximum(opened, close) + draw.random(n), np.minimum(opened, close) - draw.random(n)
    bars = opened, high, low, close, np.where(draw.random(n) < 0.1, 0.0, draw.random(n))
    log_close, log_range = close / 100.0 - 1.0, high / low - 1.0
    deviations = draw.random((5, n))
    scales = features.scales(log_close, log_range, deviations[1], bars, n - m, 1.6651092223153954, 38.0)
    circle = draw.random((2, 144)).astype(np.float32)
    context = draw.random((9, 3)).astype(np.float32), draw.integers(0, 9, m)
    turns = (*circle, 7, 5), (*circle[:, :1], 0, 0)
    rows, usable = features.rows_of(bars, log_close, deviations, scales, turns, [context])
    for found in (scales, rows, usable):
        digest.update(found.tobytes())
    return digest.hexdigest()
