"""Candles that a night is tried on: walks without direction, with ticks, idle bars, gaps and other clocks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.candle_fixtures import rows_of, write_parquet
from trainer.candles.bars import FIELDS, Bars
from trainer.survey.resample import resampled

START_MS = 1_672_531_200_000  # 2023-01-01 00:00 UTC
MINUTE = 60_000
HOUR = 3_600_000

Columns = dict[str, np.ndarray]


def walk(draw: np.random.Generator, bars: int, interval_ms: int, autocorrelation: float = 0.0) -> Columns:
    """Fat-tailed returns without direction, or with a little memory; prices of two decimals."""
    shocks = draw.standard_t(5, bars) * 0.004 * np.sqrt(interval_ms / HOUR)
    returns, previous = np.empty(bars), 0.0
    for bar, shock in enumerate(shocks.tolist()):
        previous = returns[bar] = autocorrelation * previous + shock
    close = np.round(30_000 * np.exp(np.cumsum(returns)), 2)
    return _bars(draw, close, 30_000.0, interval_ms, np.abs(shocks).mean() * close, 2)


def tick_walk(draw: np.random.Generator, hours: int) -> Columns:
    """A coin of some hundred ticks: by day half of the hours move by a tick, by night a tenth.

    Up and down are equally likely and independent of all else.
    """
    moves = draw.random(hours) < np.where(_is_day(hours), 0.5, 0.1)
    close = 1000 + np.cumsum(np.where(moves, draw.choice([-1, 1], hours), 0))
    return _bars(draw, close * 1e-8, 1000e-8, HOUR, np.where(moves, 1e-8, 0.0), 8)


def idle_walk(draw: np.random.Generator, hours: int) -> Columns:
    """Returns of any size, but most hours of the night stand still."""
    moves = draw.random(hours) < np.where(_is_day(hours), 0.9, 0.4)
    returns = np.where(moves, draw.standard_t(5, hours) * 0.004, 0.0)
    close = np.round(3000 * np.exp(np.cumsum(returns)), 2)
    return _bars(draw, close, 3000.0, HOUR, np.where(moves, 3.0, 0.0), 2)


def hours_of(minutes: Columns) -> Columns:
    """The same candles by the hour, or by whatever `coarser` divides."""
    return coarser(minutes, HOUR)


def coarser(minutes: Columns, interval_ms: int) -> Columns:
    bars = Bars.of(minutes["open_time"], {name: minutes[name] for name in FIELDS[:5]})
    coarse, _ = resampled(bars, MINUTE, interval_ms, 0.0)
    return {"open_time": coarse.open_time, **dict(zip(FIELDS[:5], coarse.values, strict=False))}


def without(columns: Columns, missing: np.ndarray) -> Columns:
    return rows_of(columns, np.setdiff1d(np.arange(len(columns["open_time"])), missing))


def later(columns: Columns, milliseconds: int) -> Columns:
    return columns | {"open_time": columns["open_time"] + milliseconds}


def write(folder: Path, symbol: str, timeframe: str, columns: Columns) -> None:
    write_parquet(folder / f"{symbol}-{timeframe}.parquet", columns)


def _is_day(hours: int) -> np.ndarray:
    hour = np.arange(hours) % 24
    return (hour >= 8) & (hour < 20)


def _bars(draw, close, first, interval_ms, reach, decimals) -> Columns:
    opened = np.concatenate([[first], close[:-1]])
    bars = len(close)
    return {
        "open_time": START_MS + np.arange(bars, dtype=np.int64) * interval_ms,
        "open": np.round(opened, decimals),
        "high": np.round(np.maximum(opened, close) + draw.uniform(0, 1, bars) * reach, decimals),
        "low": np.round(np.minimum(opened, close) - draw.uniform(0, 1, bars) * reach, decimals),
        "close": np.round(close, decimals),
        "volume": np.round(draw.lognormal(3, 0.6, bars), 3),
    }
