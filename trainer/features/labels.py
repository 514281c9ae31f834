"""Labels: does the close rise over the next `horizon` bars, and when is that known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainer.candles.arrays import IntArray
from trainer.candles.candles import Candles


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels of those rows of a feature matrix that have one.

    Parameters
    ----------
    row : ndarray of int64, shape (n,)
        Positions in the feature matrix, ascending.
    y : ndarray of float64, shape (n,)
        1 where the close rises, 0 where it falls or stays.
    close_time : ndarray of int64, shape (n,)
        When the row's bar closes, in milliseconds since the epoch: the moment of the prediction.
    end : ndarray of int64, shape (n,)
        When the label's last bar closes: the moment at which the label is known. Ascending.
    """

    row: IntArray
    y: npt.NDArray[np.float64]
    close_time: IntArray
    end: IntArray

    def __len__(self) -> int:
        return len(self.row)


def rise_labels(candles: Candles, bar: IntArray, horizon: int) -> Labels:
    """Label the bars that are followed by `horizon` bars without a gap.

    Parameters
    ----------
    candles : Candles
        All bars.
    bar : ndarray of int64, shape (m,)
        The bar of each row of the feature matrix, ascending.
    horizon : int
        Bars ahead, at least 1.

    Returns
    -------
    Labels
        ``y = 1`` if ``close[bar + horizon] > close[bar]``.
    """
    row = np.flatnonzero(bar < len(candles) - horizon)
    now = bar[row]
    later = now + horizon
    unbroken = candles.open_time[later] - candles.open_time[now] == horizon * candles.interval_ms
    row, now, later = row[unbroken], now[unbroken], later[unbroken]
    return Labels(
        row=row,
        y=(candles.close[later] > candles.close[now]).astype(np.float64),
        close_time=candles.open_time[now] + candles.interval_ms,
        end=candles.open_time[later] + candles.interval_ms,
    )
