"""Simulated candles for the tests of the mathematics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.timeframes import Timeframe
from trainer.candles.candles import Candles

START_MS = 1_640_995_200_000  # 2022-01-01, a Saturday


def simulated(
    rows: int,
    timeframe: str = "1h",
    seed: int = 0,
    autocorrelation: float = 0.0,
    missing: Sequence[int] = (),
    symbol: str = "BTCUSDT",
    volatility: float = 0.005,
) -> Candles:
    """Candles of a first-order autoregression: `autocorrelation` is that of the log returns."""
    draw = np.random.default_rng(seed)
    shocks = draw.standard_normal(rows) * volatility
    returns = np.empty(rows)
    previous = 0.0
    for row in range(rows):
        previous = returns[row] = autocorrelation * previous + shocks[row]
    close = 30_000 * np.exp(np.cumsum(returns))
    opened = np.concatenate([[30_000.0], close[:-1]]) * np.exp(draw.normal(0, volatility / 10, rows))
    above, below = np.exp(np.abs(draw.normal(0, volatility / 3, (2, rows))))
    kept = np.delete(np.arange(rows), missing)
    columns = {
        "open_time": START_MS + np.arange(rows, dtype=np.int64) * Timeframe(timeframe).milliseconds,
        "open": opened,
        "high": np.maximum(opened, close) * above,
        "low": np.minimum(opened, close) / below,
        "close": close,
        "volume": np.exp(draw.normal(3, 1, rows)),
    }
    return Candles.of(symbol, Timeframe(timeframe), {name: values[kept] for name, values in columns.items()})


def coarser(fine: Candles, timeframe: str) -> Candles:
    """Aggregate gapless candles to a coarser timeframe, dropping an unfinished last bar."""
    share = Timeframe(timeframe).milliseconds // fine.interval_ms
    rows = len(fine) // share

    def grouped(values: np.ndarray) -> np.ndarray:
        return values[: rows * share].reshape(rows, share)

    columns = {
        "open_time": grouped(fine.open_time)[:, 0],
        "open": grouped(fine.open)[:, 0],
        "high": grouped(fine.high).max(axis=1),
        "low": grouped(fine.low).min(axis=1),
        "close": grouped(fine.close)[:, -1],
        "volume": grouped(fine.volume).sum(axis=1),
    }
    return Candles.of(fine.symbol, Timeframe(timeframe), columns)
