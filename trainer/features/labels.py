"""Labels: where does the close go over the next `horizon` bars, and when is that known.

Of the kind `direction` a row is a rise (1) or a fall (0). A close that ends where it was is neither, and has
no label. Were it called a fall, whatever predicts *whether* a bar moves (the hour, the volume, the last bars)
would earn a score without knowing anything of the direction.

Of the kind `beyond_costs` a row is up by more than the costs (1), down by more (0), or neither (1/2); no row
is left out. A model of it predicts 1/2 + (p(up) - p(down)) / 2, what a trade can be decided by. "Up by more
than the costs, or not" would be the fault above again: calm and wild hours are easily told apart, and wild
ones fall as often. "Up or down beyond costs" without the rows between them would train and score rows that
are chosen by what comes, while a trade must be decided before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

import numpy as np
import numpy.typing as npt

from common.errors import DataError
from common.settings.sections import Label
from trainer.candles.arrays import IntArray
from trainer.candles.candles import Candles
from trainer.compiled import labels as compiled
from trainer.compiled.edges import moves_of

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
        1 where the close rises, 0 where it falls; with costs only beyond them, and 1/2 within.
    close_time : ndarray of int64, shape (n,)
        When the row's bar closes, in milliseconds since the epoch: the moment of the prediction.
    end : ndarray of int64, shape (n,)
        When the label's last bar closes: the moment at which the label is known. Ascending.
    tie : ndarray of int64, shape (t,)
        Positions in the feature matrix, ascending, of the rows left out because the close ends where it was;
        none where costs are counted.
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


def labels_of(candles: Candles, bar: IntArray, horizon: int, label: Label) -> Labels:
    """Label bars as configured; what is labelled is said by `rise_labels` and `beyond_costs_labels`."""
    match label.kind:
        case "direction":
            return rise_labels(candles, bar, horizon)
        case "beyond_costs":
            return beyond_costs_labels(candles, bar, horizon, label.costs_bp)
        case _:
            assert_never(label.kind)


def future_moves(candles: Candles, bar: IntArray, horizon: int) -> npt.NDArray[np.float64]:
    """Return the log return of each bar's next `horizon` bars in basis points, shape (m,).

    All of them must be followed by so many bars without a gap.
    """
    return moves_of(candles.close, bar, horizon)


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
    return Labels(*compiled.labels(closes_of(candles, bar), horizon))


def beyond_costs_labels(candles: Candles, bar: IntArray, horizon: int, costs_bp: float) -> Labels:
    """Label the bars that are followed by `horizon` bars without a gap by what a trade would bring.

    Parameters
    ----------
    candles, bar, horizon
        As for `rise_labels`.
    costs_bp : float
        Costs of a trade, in and out, in basis points.

    Returns
    -------
    Labels
        ``y = 1`` where the log return exceeds the costs, 0 where it is below minus the costs, else 1/2.
    """
    row = _with_future(candles, bar, horizon)
    moves = future_moves(candles, bar[row], horizon)
    y = 0.5 + 0.5 * (moves > costs_bp) - 0.5 * (moves < -costs_bp)
    close_time = candles.open_time[bar[row]] + candles.interval_ms
    return Labels(row=row, y=y, close_time=close_time, end=close_time + horizon * candles.interval_ms)


def closes_of(candles: Candles, bar: IntArray) -> compiled.Closes:
    """Return candles, and the bar of each row of a feature matrix, as the compiled library takes them."""
    return compiled.Closes(candles.open_time, candles.close, bar, candles.interval_ms)


def _with_future(candles: Candles, bar: IntArray, horizon: int) -> IntArray:
    now = bar[: np.searchsorted(bar, len(candles) - horizon)]
    spans = candles.open_time[now + horizon]
    spans -= candles.open_time[now]
    return np.flatnonzero(spans == horizon * candles.interval_ms)


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
