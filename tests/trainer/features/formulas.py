"""The features' formulas one by one, in numpy and TA-Lib: what is compiled must equal them bit for bit.

Prices are compared as they are and count as equal within `EQUAL` of them. A price in float64 is no whole
number of ticks, so that rounding would else choose between a high that rose by a tick and a low that fell by
one, and in another way after every change of scale.

Strength and direction are Wilder's (1978, New Concepts in Technical Trading Systems), the flow of money is
Quong and Soudack's (1989, Stocks & Commodities 7).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trainer.candles.arrays import Float32Array, FloatArray, IntArray
from trainer.candles.candles import Candles
from trainer.features.indicators import (
    BOUND,
    MEAN_WINDOWS,
    NAMES,
    RETURN_LAGS,
    RSI_WINDOWS,
    VOLATILITY_WINDOWS,
    Z_WINDOWS,
    Block,
    in_volatilities,
    quotient,
    realised_volatility,
    volatility_level,
)
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


_STILL = 1e-7
_DAY_MS = 86_400_000
_WEEK_MS = 7 * _DAY_MS


def features_of(candles: Candles, block: Block) -> Float32Array:
    """Return what `block_features` is to return."""
    bars = _Bars.of(candles, block)
    columns = {**_returns(bars), **_trend(bars), **_oscillators(bars), **_volume(bars), **_shape(bars)}
    skipped = block.first - block.start
    rows = np.empty((block.stop - block.first, len(NAMES)), dtype=np.float32)
    for position, name in enumerate(NAMES):
        np.clip(columns[name][skipped:], -BOUND, BOUND, out=rows[:, position], casting="same_kind")
    return rows


@dataclass(frozen=True)
class _Bars:
    """A block's bars; prices as they are, `log_close` relative to the first close."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    close_time: IntArray
    interval_ms: int
    log_close: FloatArray
    log_return: FloatArray
    volatility: FloatArray

    @classmethod
    def of(cls, candles: Candles, block: Block) -> _Bars:
        window = slice(block.start, block.stop)
        close = np.ascontiguousarray(candles.close[window])
        # Relative to the first, so that sums of squares of logarithms do not cancel at 1e5 a coin.
        log_close = np.log(close / close[0])
        log_return = np.diff(log_close, prepend=0.0)
        return cls(
            open=np.ascontiguousarray(candles.open[window]),
            high=np.ascontiguousarray(candles.high[window]),
            low=np.ascontiguousarray(candles.low[window]),
            close=close,
            volume=np.ascontiguousarray(candles.volume[window]),
            close_time=candles.open_time[window] + candles.interval_ms,
            interval_ms=candles.interval_ms,
            log_close=log_close,
            log_return=log_return,
            volatility=realised_volatility(log_return, 60),
        )


def _returns(bars: _Bars) -> dict[str, FloatArray]:
    columns = {}
    for lag in RETURN_LAGS:
        columns[f"return_{lag}"] = in_volatilities(talib.MOM(bars.log_close, lag), bars.volatility, lag)
    for window in VOLATILITY_WINDOWS:
        volatility = realised_volatility(bars.log_return, window)
        columns[f"volatility_{window}"] = log_ratio(volatility, bars.volatility)
    columns["volatility_level"] = volatility_level(bars.volatility, _DAY_MS / bars.interval_ms)
    log_range = np.log(bars.high / bars.low)
    parkinson = realised_volatility(log_range, 20) / np.sqrt(4 * np.log(2))
    columns["range_volatility_20"] = log_ratio(parkinson, bars.volatility)
    true_range = talib.ATR(bars.high, bars.low, bars.close, 14) / bars.close
    columns["atr_14"] = log_ratio(true_range, bars.volatility)
    return columns


def _trend(bars: _Bars) -> dict[str, FloatArray]:
    columns = {}
    for window in MEAN_WINDOWS:
        distance = bars.log_close - talib.SMA(bars.log_close, window)
        columns[f"mean_distance_{window}"] = in_volatilities(distance, bars.volatility, window)
    for window in Z_WINDOWS:
        columns[f"z_score_{window}"] = z_score(bars.log_close, window, _STILL)
    macd, _, histogram = talib.MACD(bars.log_close, 12, 26, 9)
    columns["macd"] = in_volatilities(macd, bars.volatility, 4)
    columns["macd_histogram"] = in_volatilities(histogram, bars.volatility, 1)
    upper, middle, lower = talib.BBANDS(bars.log_close, 20, 2.0, 2.0)
    columns["bollinger_position"] = quotient(2.0 * (bars.log_close - middle), upper - lower, 4.0 * _STILL)
    columns["bollinger_width"] = log_ratio((upper - lower) / 4.0, bars.volatility)
    return columns


def _oscillators(bars: _Bars) -> dict[str, FloatArray]:
    columns = {}
    for window in RSI_WINDOWS:
        columns[f"rsi_{window}"] = 2.5 * relative_strength(bars.close, window)
    strength, direction = directional_movement(bars.high, bars.low, bars.close, 14)
    columns["adx_14"] = (100.0 * strength - 25.0) / 15.0
    columns["directional_14"] = 5.0 * direction
    fast, slow = talib.STOCH(bars.high, bars.low, bars.close, fastk_period=14)
    columns["stochastic_k"] = (fast - 50.0) / 30.0
    columns["stochastic_d"] = (fast - slow) / 10.0
    return columns


def _volume(bars: _Bars) -> dict[str, FloatArray]:
    volume = bars.volume
    traded = (volume > 0.0).astype(np.float64)
    columns = {"mfi_14": 2.5 * money_flow(bars.high + bars.low + bars.close, volume, 14)}
    mean_60 = np.maximum(talib.SMA(volume, 60), 0.0)
    for window in (20, 60):
        active = talib.SUM(traded, window) > 0.5
        scaled = z_score(volume, window, 1e-6 * mean_60)
        columns[f"volume_z_{window}"] = np.where(active, scaled, 0.0)
    recent = np.maximum(talib.SMA(volume, 5), 0.0)
    share = quotient(recent, mean_60, 0.0)
    columns["volume_ratio"] = np.where(talib.SUM(traded, 60) > 0.5, np.log(share + 0.01), 0.0)
    signed = talib.SUM(np.sign(bars.log_return) * volume, 20)
    signed_share = np.clip(quotient(signed, talib.SUM(volume, 20), 0.0), -1.0, 1.0)
    columns["signed_volume_20"] = np.where(talib.SUM(traded, 20) > 0.5, signed_share, 0.0)
    return columns


def _shape(bars: _Bars) -> dict[str, FloatArray]:
    day_sin, day_cos = _turns(bars, _DAY_MS)
    week_sin, week_cos = _turns(bars, _WEEK_MS)
    return {
        "body": quotient(bars.close - bars.open, bars.high - bars.low, 0.0),
        "close_location": quotient(2.0 * bars.close - bars.high - bars.low, bars.high - bars.low, 0.0),
        "day_sin": day_sin,
        "day_cos": day_cos,
        "week_sin": week_sin,
        "week_cos": week_cos,
    }


def _turns(bars: _Bars, period_ms: int) -> tuple[FloatArray, FloatArray]:
    """Return sine and cosine of where in a period each bar closes; bars close at few places of it."""
    step = math.gcd(bars.interval_ms, period_ms)
    angles = 2.0 * np.pi * np.arange(0, period_ms, step) / period_ms
    place = bars.close_time % period_ms // step
    return np.sin(angles)[place], np.cos(angles)[place]


def log_ratio(volatility: FloatArray, reference: FloatArray) -> FloatArray:
    """Return the logarithm of a ratio of volatilities, within +-3, so that a still market is no outlier."""
    return np.log(np.clip(volatility / np.maximum(reference, _STILL), 0.05, 20.0))


def z_score(values: FloatArray, window: int, floor: FloatArray | float) -> FloatArray:
    """Distance from the mean of `window` values, in deviations, or 0 where they are below `floor`."""
    deviation = talib.STDDEV(values, window)
    return quotient(values - talib.SMA(values, window), deviation, floor)
