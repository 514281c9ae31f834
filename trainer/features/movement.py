"""What compares prices with prices: directional movement, relative strength and the flow of money.

Prices are compared as they are and count as equal within `EQUAL` of them. A price in float64 is no whole
number of ticks, so that rounding would else choose between a high that rose by a tick and a low that fell by
one, and in another way after every change of scale.

Strength and direction are Wilder's (1978, New Concepts in Technical Trading Systems), the flow of money is
Quong and Soudack's (1989, Stocks & Commodities 7).
"""

from __future__ import annotations

import numpy as np

from trainer.candles.arrays import FloatArray
from trainer.features.ta import talib

EQUAL = 1e-14
"""Difference, as a share of the price, up to which prices or sums of prices are equal: rounding makes up to
1e-15, a tick is 1e-13 at the least (8 decimals of 100,000)."""


def changes(values: FloatArray, price: FloatArray) -> FloatArray:
    """Return what each value adds to the one before it, shape (n,): NaN first, 0 where they are equal.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        Prices, or sums of prices.
    price : ndarray of float64, shape (n,)
        Of what size they are: a change of less than `EQUAL` of it is rounding.
    """
    change = np.diff(values, prepend=np.nan)
    return np.where(np.abs(change) <= EQUAL * price, 0.0, change)


def wilder_mean(values: FloatArray, window: int) -> FloatArray:
    """Return the mean in which each bar counts 1 / `window`, and what was before it the rest, shape (n,).

    The first is the plain mean of 2 * `window` - 1 values.
    """
    mean: FloatArray = talib.EMA(values, 2 * window - 1)
    return mean


def relative_strength(close: FloatArray, window: int) -> FloatArray:
    """Return the share that rises have in all moves less that of falls, -1 to 1; 0 where nothing moves.

    It is Wilder's relative strength index, which runs from 0 to 100, about its middle.
    """
    change = changes(close, close)
    up, down = wilder_mean(np.maximum(change, 0.0), window), wilder_mean(np.maximum(-change, 0.0), window)
    return quotient(up - down, up + down, EQUAL * close)


def directional_movement(
    high: FloatArray, low: FloatArray, close: FloatArray, window: int
) -> tuple[FloatArray, FloatArray]:
    """Return Wilder's average directional index, 0 to 1, and the difference of his two indicators, -1 to 1.

    A bar counts as a movement up if its high rose, and rose by more than its low fell; one that reaches out
    equally far on both sides is neither. Both are 0 in a still market.
    """
    rise, fall = changes(high, close), -changes(low, close)
    wider = rise - fall
    wider[np.abs(wider) <= EQUAL * close] = 0.0
    up = np.where(wider > 0.0, np.maximum(rise, 0.0), 0.0 * rise)
    down = np.where(wider < 0.0, np.maximum(fall, 0.0), 0.0 * fall)
    before = np.concatenate([[np.nan], close[:-1]])
    true_range = wilder_mean(np.maximum(high, before) - np.minimum(low, before), window)
    up, down = wilder_mean(up, window), wilder_mean(down, window)
    # What an average remembers of a market that stopped is rounding in the end.
    moved = quotient(np.abs(up - down), up + down, EQUAL * close)
    return wilder_mean(moved, window), quotient(up - down, true_range, EQUAL * close)


def money_flow(price: FloatArray, volume: FloatArray, window: int) -> FloatArray:
    """Return the share of volume x price at rising prices less that at falling ones, -1 to 1, shape (n,).

    Among `window` bars, and of those only whose price changed; 0 where none did, or none had volume.
    """
    change = changes(price, price)
    flow = price * volume
    # Each window is summed by itself: a running sum would remember a burst of volume.
    rising, falling = (
        _window_sums(np.where(np.isnan(change), np.nan, np.where(side, flow, 0.0)), window)
        for side in (change > 0.0, change < 0.0)
    )
    return quotient(rising - falling, rising + falling, 0.0)


def _window_sums(values: FloatArray, window: int) -> FloatArray:
    count = max(len(values) - window + 1, 0)
    sums = np.full(len(values), np.nan)
    # In one order whatever the length, so that a cut of the bars gives the same digits.
    sums[len(values) - count :] = sum(values[start : start + count] for start in range(window))
    return sums


def quotient(numerator: FloatArray, denominator: FloatArray, floor: FloatArray | float) -> FloatArray:
    """`numerator / denominator`, and 0 where the denominator is not above `floor` (NaN stays NaN)."""
    result = np.where(np.isnan(denominator), np.nan, 0.0)
    return np.divide(numerator, denominator, out=result, where=denominator > floor)
