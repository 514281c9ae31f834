"""Context: trend and volatility of the last closed bar of a coarser timeframe, joined as of a row's close.

A context bar is used only from its own close on, and only while it is fresh: a row whose last context bar
closed more than `MAX_AGE_BARS` context bars ago has no context, and is no row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.timeframes import Timeframe
from trainer.candles.arrays import Float32Array, IntArray
from trainer.candles.candles import Candles
from trainer.compiled.features import last_known
from trainer.features.indicators import BOUND, in_volatilities, realised_volatility, volatility_level
from trainer.features.ta import talib

COLUMNS = ("trend_5", "trend_20", "volatility_20")
WINDOW = 20
"""Bars before the first context bar of a segment that has values; each costs a day of training rows at 1d."""

MAX_AGE_BARS = 2


_DAY_MS = 86_400_000


@dataclass(frozen=True, eq=False)
class ContextFrame:
    """What a timeframe tells the finer ones.

    Parameters
    ----------
    timeframe : str
        Of the bars, for example ``1h``.
    close_time : ndarray of int64, shape (m,)
        When each row is known, in milliseconds since the epoch, ascending.
    values : ndarray of float32, shape (m, 3)
        The columns of `COLUMNS`.
    """

    timeframe: Timeframe
    close_time: IntArray
    values: Float32Array

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names as features: ``context_1h_trend_5`` and so on."""
        return tuple(f"context_{self.timeframe}_{column}" for column in COLUMNS)

    def positions(self, close_time: IntArray) -> IntArray:
        """Return the row that is known at each moment (ms, ascending), shape (n,); -1 where none is fresh."""
        return last_known(close_time, self.close_time, MAX_AGE_BARS * self.timeframe.milliseconds)


def reach_of(candles: Candles) -> int:
    """Return how far back a context of these candles looks, in milliseconds."""
    return (WINDOW + 1) * candles.interval_ms


def context_frame(candles: Candles) -> ContextFrame:
    """Compute the context that a timeframe's candles give; segments of `WINDOW` bars or fewer give none.

    Both trends are in units of their own volatility, the volatility is a logarithm a day; all are clipped to
    +-`trainer.features.indicators.BOUND`. A row reads the `WINDOW` bars before its bar, and no bar after it.
    """
    times, values = [], []
    for start, end in candles.segments():
        if end - start <= WINDOW:
            continue
        log_close = np.log(candles.close[start:end] / candles.close[start])
        volatility = realised_volatility(np.diff(log_close, prepend=0.0), WINDOW)
        columns = [
            in_volatilities(talib.MOM(log_close, 5), volatility, 5),
            in_volatilities(talib.MOM(log_close, WINDOW), volatility, WINDOW),
            volatility_level(volatility, _DAY_MS / candles.interval_ms),
        ]
        times.append(candles.open_time[start + WINDOW : end] + candles.interval_ms)
        values.append(np.clip(np.column_stack(columns)[WINDOW:], -BOUND, BOUND).astype(np.float32))
    if not times:
        return ContextFrame(candles.timeframe, np.empty(0, np.int64), np.empty((0, len(COLUMNS)), np.float32))
    return ContextFrame(candles.timeframe, np.concatenate(times), np.concatenate(values))
