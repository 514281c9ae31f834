"""Features of closed bars: a row is computed from its own bar and the bars before it, within one segment.

Each column is a fixed formula of the past, of order one, clipped to +-`BOUND`, so that nothing is fitted
here. A row has features from the bar `WARM_UP` of its segment on. Long segments are computed in blocks that
begin `RUN_IN` bars early; this bounds memory, and recursive indicators have forgotten their start by then
((13/14)**512 < 1e-16).

Moving averages and statistics are TA-Lib's; what compares prices with prices is in `movement`. No column
depends on the unit of price or volume, nor on where a block begins. Realised volatility is the root mean
square of log returns; its range-based counterpart is Parkinson's (1980, Journal of Business 53).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trainer.candles.arrays import Float32Array, FloatArray, IntArray
from trainer.candles.candles import Candles
from trainer.features.movement import directional_movement, money_flow, quotient, relative_strength
from trainer.features.ta import talib

FEATURE_VERSION = "2"
"""Changes whenever a formula or a context column changes; models of different versions are never compared."""

WARM_UP = 60
"""Bars of a segment before the first row that has features."""

BOUND = 10.0
BLOCK_ROWS = 32_768
RUN_IN = 512

RETURN_LAGS = (1, 2, 3, 5, 8, 13, 21, 55)
VOLATILITY_WINDOWS = (5, 15, 30)
MEAN_WINDOWS = (10, 20, 40)
Z_WINDOWS = (10, 60)
RSI_WINDOWS = (7, 14)

NAMES = (
    *(f"return_{lag}" for lag in RETURN_LAGS),
    *(f"volatility_{window}" for window in VOLATILITY_WINDOWS),
    "volatility_level",
    "range_volatility_20",
    "atr_14",
    *(f"mean_distance_{window}" for window in MEAN_WINDOWS),
    *(f"z_score_{window}" for window in Z_WINDOWS),
    "macd",
    "macd_histogram",
    "bollinger_position",
    "bollinger_width",
    *(f"rsi_{window}" for window in RSI_WINDOWS),
    "adx_14",
    "directional_14",
    "stochastic_k",
    "stochastic_d",
    "mfi_14",
    "volume_z_20",
    "volume_z_60",
    "volume_ratio",
    "signed_volume_20",
    "body",
    "close_location",
    "day_sin",
    "day_cos",
    "week_sin",
    "week_cos",
)
"""The columns in order."""


_STILL = 1e-7
"""Volatility of a bar up to which a market counts as still: nothing is measured in units of it."""

_DAY_MS = 86_400_000
_WEEK_MS = 7 * _DAY_MS


@dataclass(frozen=True)
class Block:
    """Bars `start` to `stop` are read, and bars `first` to `stop` get a row (half-open)."""

    start: int
    first: int
    stop: int


def blocks(candles: Candles) -> Iterator[Block]:
    """Yield the blocks that cover all bars with a full window, in order.

    Where a block begins depends on its segment's start only, so a cut of the candles has the same blocks up
    to the cut.
    """
    for start, end in candles.segments():
        for first in range(start + WARM_UP, end, BLOCK_ROWS):
            yield Block(max(start, first - RUN_IN), first, min(first + BLOCK_ROWS, end))


def block_features(candles: Candles, block: Block) -> Float32Array:
    """Compute the features of one block.

    Parameters
    ----------
    candles : Candles
        Candles of any length; bars outside the block are not read.
    block : Block
        One of `blocks(candles)`.

    Returns
    -------
    ndarray of float32, shape (block.stop - block.first, len(NAMES))
        One row a bar. Values are finite and within +-`BOUND` wherever the candles are finite.
    """
    bars = _Bars.of(candles, block)
    columns = {**_returns(bars), **_trend(bars), **_oscillators(bars), **_volume(bars), **_shape(bars)}
    skipped = block.first - block.start
    # Column by column, as they are computed: to write them row by row takes a cache line a number.
    rows = np.empty((block.stop - block.first, len(NAMES)), dtype=np.float32, order="F")
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


def realised_volatility(log_return: FloatArray, window: int) -> FloatArray:
    """Root mean square of the last `window` log returns, shape (n,); NaN before there are so many."""
    mean_square = talib.SMA(log_return * log_return, window)
    return np.sqrt(np.maximum(mean_square, 0.0))


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


def in_volatilities(distance: FloatArray, volatility: FloatArray, steps: float) -> FloatArray:
    """Return a distance of logarithms in units of a random walk of `steps` bars; 0 in a still market."""
    return quotient(distance, volatility * np.sqrt(steps), _STILL * np.sqrt(steps))


def log_ratio(volatility: FloatArray, reference: FloatArray) -> FloatArray:
    """Return the logarithm of a ratio of volatilities, within +-3, so that a still market is no outlier."""
    return np.log(np.clip(volatility / np.maximum(reference, _STILL), 0.05, 20.0))


def volatility_level(volatility: FloatArray, bars_per_day: float) -> FloatArray:
    """Return the logarithm of the daily volatility, 0 at 3 per cent, within +-4."""
    level = np.log(np.maximum(volatility, _STILL) * np.sqrt(bars_per_day)) + 3.5
    bounded: FloatArray = np.clip(level, -4.0, 4.0)
    return bounded


def z_score(values: FloatArray, window: int, floor: FloatArray | float) -> FloatArray:
    """Distance from the mean of `window` values, in deviations, or 0 where they are below `floor`."""
    deviation = talib.STDDEV(values, window)
    return quotient(values - talib.SMA(values, window), deviation, floor)
