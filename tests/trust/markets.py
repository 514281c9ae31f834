"""Simulated markets with and without a direction that can be known, and predictions of each.

A `Setting` draws predictions and labels as a training would hand them to the test of significance: those of
`nulls` know nothing of what comes, those of `signals` know a little.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.signal import lfilter

Draw = np.random.Generator
Sample = Callable[[Draw], tuple[np.ndarray, np.ndarray]]

PAST = 200
"""Bars before the first row, which predictions may look back on."""

# --- Returns of a market without direction ------------------------------------------------------------------


def autoregression(draw, rows, memory, scale=1.0):
    """Of variance `scale` squared; what lies `memory` rows back counts 1/e."""
    keep = np.exp(-1 / memory)
    run_in = int(8 * memory)
    noise = scale * np.sqrt(1 - keep**2) * draw.standard_normal(rows + run_in)
    return lfilter([1], [1, -keep], noise)[run_in:]


def garch(draw, bars):
    shocks = draw.standard_t(4, bars) / np.sqrt(2)
    returns, variance = np.empty(bars), 1.0
    for bar in range(bars):
        returns[bar] = np.sqrt(variance) * shocks[bar]
        variance = 0.02 + 0.1 * returns[bar] ** 2 + 0.88 * variance
    return returns


RETURNS: dict[str, Callable] = {
    "normal": lambda draw, bars: draw.standard_normal(bars),
    "fat tails (t3)": lambda draw, bars: draw.standard_t(3, bars),
    "slow volatility": lambda draw, bars: (
        np.exp(autoregression(draw, bars, 200, 0.8)) * draw.standard_t(5, bars)
    ),
    "GARCH": garch,
    "drift": lambda draw, bars: draw.standard_normal(bars) + 0.08,
    "drift, slow volatility": lambda draw, bars: (
        np.exp(autoregression(draw, bars, 200, 0.8)) * draw.standard_t(4, bars) + 0.03
    ),
    "strong drift, slow volatility": lambda draw, bars: (
        np.exp(autoregression(draw, bars, 200, 1.0)) * draw.standard_t(4, bars) + 0.1
    ),
}


def coin_flips(closes):
    """Moves as large as a real market's, where there was one, in directions that a coin decides."""
    moves = np.abs(np.diff(np.log(closes)))
    moves = moves[moves > 0]

    def returns(draw, bars):
        start = draw.integers(len(moves) - bars + 1)
        return moves[start : start + bars] * draw.choice([-1.0, 1.0], bars)

    return returns


# --- Predictions that know nothing of what comes ------------------------------------------------------------


def moving_sum(returns, bars):
    return lfilter(np.ones(bars), [1], returns)


def levels(draw, rows):
    """Constant by fold, as of models that have learned little but a base rate."""
    return np.repeat(draw.standard_normal(5), -(-rows // 5))[:rows]


def of_the_past(weight, bars):
    return lambda draw, rows, returns: weight * moving_sum(returns, bars)[PAST : PAST + rows]


PREDICTIONS: dict[str, Callable] = {
    "independent": lambda draw, rows, _: draw.standard_normal(rows),
    "persistent (50 rows)": lambda draw, rows, _: autoregression(draw, rows, 50),
    "persistent (500 rows)": lambda draw, rows, _: autoregression(draw, rows, 500),
    "five values": lambda draw, rows, _: np.clip(np.round(autoregression(draw, rows, 20)), -2, 2),
    "hour of day": lambda draw, rows, _: np.cos(2 * np.pi * np.arange(rows) / 24),
    "a level a fold": lambda draw, rows, _: levels(draw, rows),
    "a level a fold, and persistent": lambda draw, rows, _: (
        levels(draw, rows) + autoregression(draw, rows, 20)
    ),
    "fades the last 60 bars": of_the_past(-1, 60),
    "fades the last 3 bars": of_the_past(-1, 3),
    "follows the last 60 bars": of_the_past(1, 60),
}


def labels(returns, rows, horizon):
    """Whether the close rises, for the rows whose last known bar is `PAST` and later."""
    close = np.cumsum(np.concatenate([[0.0], returns]))[PAST + 1 :]
    return (close[horizon : horizon + rows] > close[:rows]).astype(float)


def fitted(draw, rows, make, horizon):
    """Walk-forward ridge regression on past returns, volatility, hour and weekday: five folds tested."""
    whole = rows // 5 * 6
    returns = make(draw, whole + PAST + horizon)
    y = labels(returns, whole, horizon)
    volatility = np.sqrt(moving_sum(returns**2, 60) / 60) + 1e-12
    columns = [moving_sum(returns, bars) / volatility / np.sqrt(bars) for bars in (1, 2, 3, 5, 8, 13, 21, 55)]
    columns += [np.log(np.sqrt(moving_sum(returns**2, bars) / bars) / volatility + 0.01) for bars in (5, 15)]
    bar = 2 * np.pi * np.arange(len(returns))
    columns += [np.log(volatility), np.sin(bar / 24), np.cos(bar / 24), np.sin(bar / 168), np.cos(bar / 168)]
    X = np.clip(np.stack([np.ones(len(returns)), *columns], axis=1)[PAST : PAST + whole], -10, 10)
    edges = [part * whole // 6 for part in range(7)]
    predicted = []
    for start, stop in pairwise(edges[1:]):
        known, rises = X[: start - horizon], y[: start - horizon]
        ridge = known.T @ known + 30 * np.eye(X.shape[1])
        weights = np.linalg.solve(ridge, known.T @ (rises - rises.mean()))
        predicted.append(X[start:stop] @ weights + rises.mean())
    return np.concatenate(predicted), y[edges[1] :]


# --- Settings ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    name: str
    rows: int
    horizon: int
    sample: Sample


def null(returns, prediction, rows, horizon, make=None):
    make = make or RETURNS[returns]

    def sample(draw):
        if prediction == "fitted":
            return fitted(draw, rows, make, horizon)
        moves = make(draw, rows + PAST + horizon)
        return PREDICTIONS[prediction](draw, rows, moves), labels(moves, rows, horizon)

    return Setting(f"{returns}; {prediction}", rows, horizon, sample)


def nulls(closes):
    for rows in (300, 1000, 5000, 40000):
        for horizon in {300: (1, 3, 10), 40000: (5,)}.get(rows, (1, 10)):
            yield null("normal", "independent", rows, horizon)
            yield null("fat tails (t3)", "persistent (50 rows)", rows, horizon)
            yield null("slow volatility", "fitted", rows, horizon)
            yield null("drift", "five values", rows, horizon)
            yield null("normal", "a level a fold", rows, horizon)
            yield null("normal", "fades the last 60 bars", rows, horizon)
        yield null("GARCH" if rows < 40000 else "normal", "a level a fold, and persistent", rows, 5)
        yield null("fat tails (t3)", "fades the last 3 bars", rows, 3)
        yield null("normal", "follows the last 60 bars", rows, 3)
        yield null("normal", "hour of day", rows, 3)
        yield null("drift, slow volatility", "persistent (50 rows)", rows, 3)
        yield null("drift, slow volatility", "persistent (500 rows)", rows, 3)
        yield null("drift, slow volatility", "a level a fold", rows, 3)
        yield null("strong drift, slow volatility", "a level a fold", rows, 3)
    for path in closes:
        make = coin_flips(np.load(path))
        for rows, horizon in {"1d": ((300, 1), (300, 5)), "1m": ((5000, 3), (40000, 5))}.get(
            path.stem.rpartition("-")[2], ((1000, 3), (5000, 1))
        ):
            yield null(f"{path.stem}, coin flips", "fitted", rows, horizon, make)


def signal(name, rows, horizon, edge):
    """`edge` gives what is known of a bar's return, in its deviations, when its predecessor closes."""

    def sample(draw):
        bars = rows + PAST + horizon
        known = edge(draw, np.arange(bars + horizon))
        returns = known[:bars] + draw.standard_normal(bars)
        # The best prediction: what is known of the bars that the label spans.
        ahead = np.convolve(known, np.ones(horizon), "valid")[PAST + 1 : PAST + 1 + rows]
        return ahead, labels(returns, rows, horizon)

    return Setting(name, rows, horizon, sample)


def few_hours(size):
    """Up in some hours of the day, down in others."""
    pattern = size * np.array([1, -1, -1, 1, 1, 1, -1, 1, -1, -1, 1, -1] * 2)
    return lambda draw, bar: pattern[bar % 24]


def trend(draw, bars, size):
    return autoregression(draw, bars, 120, size)


def signals():
    for horizon in (1, 3):
        yield signal("hour of day", 40008, horizon, few_hours(0.08))
        yield signal("hour of day, smooth", 40008, horizon, lambda draw, bar: 0.09 * np.cos(bar * np.pi / 12))
        yield signal(
            "trend of 5 days of hours", 40000, horizon, lambda draw, bar: trend(draw, len(bar), 0.05)
        )
        yield followed_trend(40000, horizon, 0.06)
    yield signal("hour of day, smooth", 5000, 3, lambda draw, bar: 0.09 * np.cos(bar * np.pi / 12))
    yield signal("day of week", 1000, 1, lambda draw, bar: 0.25 * (bar % 7 == 0))
    for rows in (300, 1000, 5000):
        size = 3.5 / np.sqrt(rows)
        yield signal(
            "new each bar", rows, 1, lambda draw, bar, size=size: size * draw.standard_normal(len(bar))
        )
        for horizon in (1, 5):
            yield signal(
                "lasts 10 bars",
                rows,
                horizon,
                lambda draw, bar, size=size: autoregression(draw, len(bar), 10, size),
            )
        yield faded(rows, size)


def followed_trend(rows, horizon, size):
    """A trend of 120 bars that is only seen in the past returns that it has made."""

    def sample(draw):
        returns = trend(draw, rows + PAST + horizon, size) + draw.standard_normal(rows + PAST + horizon)
        return lfilter([1], [1, -0.99], returns)[PAST : PAST + rows], labels(returns, rows, horizon)

    return Setting("5-day trend, followed", rows, horizon, sample)


def faded(rows, size):
    """A market that takes back a little of each move, and predictions that say so."""

    def sample(draw):
        returns = lfilter([1], [1, size], draw.standard_normal(rows + PAST + 1))
        return -returns[PAST : PAST + rows], labels(returns, rows, 1)

    return Setting("takes back the last move", rows, 1, sample)
