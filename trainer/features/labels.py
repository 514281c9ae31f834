"""Labels: does the close rise or fall over the next `horizon` bars, and when is that known.

A close that ends where it was is neither. Were it called a fall, whatever predicts *whether* a bar moves (the
hour, the volume, the last bars) would earn a score without knowing anything of the direction.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from common.errors import DataError
from trainer.candles.arrays import IntArray
from trainer.candles.candles import Candles

LABEL_VERSION = "2"
"""Changes whenever the meaning of a label does; folds of another version are not gone on from."""

MOST_TIES = 0.8
"""The highest share of ties with which a cell is trained: a coin of a few hundred ticks that moves in three
of ten hours can be judged by its moves; beyond this they are too rare to be a fair sample."""


def _none() -> IntArray:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels of those rows of a feature matrix that have one.

    Parameters
    ----------
    row : ndarray of int64, shape (n,)
        Positions in the feature matrix, ascending.
    y : ndarray of float64, shape (n,)
        1 where the close rises, 0 where it falls.
    close_time : ndarray of int64, shape (n,)
        When the row's bar closes, in milliseconds since the epoch: the moment of the prediction.
    end : ndarray of int64, shape (n,)
        When the label's last bar closes: the moment at which the label is known. Ascending.
    tie : ndarray of int64, shape (t,)
        Positions in the feature matrix, ascending, of the rows left out because the close ends where it was.
    """

    row: IntArray
    y: npt.NDArray[np.float64]
    close_time: IntArray
    end: IntArray
    tie: IntArray = field(default_factory=_none)

    def __len__(self) -> int:
        return len(self.row)

    @property
    def tie_share(self) -> float:
        """The share of ties among the rows whose future is known, 0 to 1; 0 where there are none."""
        known = len(self.row) + len(self.tie)
        return len(self.tie) / known if known else 0.0


def rise_labels(candles: Candles, bar: IntArray, horizon: int) -> Labels:
    """Label the bars that are followed by `horizon` bars without a gap and whose close then has moved.

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
        ``y = 1`` if ``close[bar + horizon] > close[bar]``; equal closes are ties and have no label.
    """
    row = np.flatnonzero(bar < len(candles) - horizon)
    now = bar[row]
    later = now + horizon
    unbroken = candles.open_time[later] - candles.open_time[now] == horizon * candles.interval_ms
    row, now, later = row[unbroken], now[unbroken], later[unbroken]
    moved = candles.close[later] != candles.close[now]
    tie = row[~moved]
    row, now, later = row[moved], now[moved], later[moved]
    return Labels(
        row=row,
        y=(candles.close[later] > candles.close[now]).astype(np.float64),
        close_time=candles.open_time[now] + candles.interval_ms,
        end=candles.open_time[later] + candles.interval_ms,
        tie=tie,
    )


def require_moves(labels: Labels, where: str) -> None:
    """Refuse labels of a market that mostly stands still.

    Parameters
    ----------
    labels : Labels
        The labels of one cell.
    where : str
        What is labelled, for the message.

    Raises
    ------
    DataError
        More than `MOST_TIES` of the rows are ties: the few moves that are left are no fair sample.
    """
    if labels.tie_share > MOST_TIES:
        known = len(labels) + len(labels.tie)
        raise DataError(
            f"{where}: the close does not move in {len(labels.tie)} of {known} rows "
            f"({labels.tie_share:.0%}), at most {MOST_TIES:.0%} may stand still",
            "take a longer timeframe or horizon, or leave the symbol out",
        )
