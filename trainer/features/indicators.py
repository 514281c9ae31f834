"""Features of closed bars: a row is computed from its own bar and the bars before it, within one segment.

Each column is a fixed formula of the past, of order one, clipped to +-`BOUND`, so that nothing is fitted
here. A row has features from the bar `WARM_UP` of its segment on. Long segments are computed in blocks that
begin `RUN_IN` bars early; this bounds memory, and recursive indicators have forgotten their start by then
((13/14)**512 < 1e-16).

The formulas are compiled (`trainer.compiled.features`). Moving averages and statistics are TA-Lib's, to the
last digit. Prices are compared as they are and count as equal within 1e-14 of them, as rounding would else
choose between a high that rose by a tick and a low that fell by one. No column depends on the unit of price
or volume, nor on where a block begins. Realised volatility is the root mean square of log returns; its
range-based counterpart is Parkinson's (1980, Journal of Business 53).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from trainer.candles.arrays import BoolArray, Float32Array, FloatArray
from trainer.candles.candles import PRICES, Candles
from trainer.compiled.features import LOGARITHMS, LOOKED_BACK, Known, Turns, rows_of, scales
from trainer.features.ta import talib

FEATURE_VERSION = "2"
"""Changes whenever a formula or a context column changes; models of different versions are never compared."""

WARM_UP = LOOKED_BACK
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
_PARKINSON = float(np.sqrt(4 * np.log(2)))


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
    return block_rows(candles, block)[0]


def block_rows(
    candles: Candles, block: Block, context: Sequence[Known] = ()
) -> tuple[Float32Array, BoolArray]:
    """Return the features of one block, what else is known behind them, and which rows have numbers only.

    Parameters
    ----------
    candles : Candles, block : Block
        As for `block_features`.
    context : sequence of `Known`
        Values, and which of them is known at each row.

    Returns
    -------
    rows : ndarray of float32, shape (block.stop - block.first, len(NAMES) + columns of `context`)
        One row a bar.
    usable : ndarray of bool, shape (block.stop - block.first,)
        Whether all features are numbers, and all the context is known.
    """
    window = slice(block.start, block.stop)
    bars = [np.ascontiguousarray(getattr(candles, name)[window]) for name in (*PRICES, "volume")]
    _, high, low, close, volume = bars
    # Relative to the first, so that sums of squares of logarithms do not cancel at 1e5 a coin.
    log_close, log_range = np.log(close / close[0]), np.log(high / low)
    deviations = [talib.STDDEV(log_close, window) for window in (10, 20, 60)]
    deviations += [talib.STDDEV(volume, window) for window in (20, 60)]
    root_of_day = math.sqrt(_DAY_MS / candles.interval_ms)
    skipped = block.first - block.start
    logarithms = scales(log_close, log_range, deviations[1], bars, skipped, _PARKINSON, root_of_day)
    np.log(logarithms[:LOGARITHMS], out=logarithms[:LOGARITHMS])
    closes = int(candles.open_time[block.start]) + candles.interval_ms
    turns = _turns(candles.interval_ms, _DAY_MS, closes), _turns(candles.interval_ms, _WEEK_MS, closes)
    return rows_of(bars, log_close, deviations, logarithms, turns, context)


def realised_volatility(log_return: FloatArray, window: int) -> FloatArray:
    """Root mean square of the last `window` log returns, shape (n,); NaN before there are so many."""
    mean_square = talib.SMA(log_return * log_return, window)
    return np.sqrt(np.maximum(mean_square, 0.0))


def _turns(interval_ms: int, period_ms: int, close_time: int) -> Turns:
    """Return sine and cosine of each place of a period where bars close, and where the first one does."""
    step = math.gcd(interval_ms, period_ms)
    sine, cosine = _circle(period_ms, step)
    return sine, cosine, close_time % period_ms // step, interval_ms // step % len(sine)


@cache
def _circle(period_ms: int, step: int) -> tuple[Float32Array, Float32Array]:
    angles = 2.0 * np.pi * np.arange(0, period_ms, step) / period_ms
    return np.sin(angles).astype(np.float32), np.cos(angles).astype(np.float32)


def in_volatilities(distance: FloatArray, volatility: FloatArray, steps: float) -> FloatArray:
    """Return a distance of logarithms in units of a random walk of `steps` bars; 0 in a still market."""
    return quotient(distance, volatility * np.sqrt(steps), _STILL * np.sqrt(steps))


def volatility_level(volatility: FloatArray, bars_per_day: float) -> FloatArray:
    """Return the logarithm of the daily volatility, 0 at 3 per cent, within +-4."""
    level = np.log(np.maximum(volatility, _STILL) * np.sqrt(bars_per_day)) + 3.5
    bounded: FloatArray = np.clip(level, -4.0, 4.0)
    return bounded


def quotient(numerator: FloatArray, denominator: FloatArray, floor: FloatArray | float) -> FloatArray:
    """`numerator / denominator`, and 0 where the denominator is not above `floor` (NaN stays NaN)."""
    result = np.where(np.isnan(denominator), np.nan, 0.0)
    return np.divide(numerator, denominator, out=result, where=denominator > floor)
