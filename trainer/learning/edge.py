"""What the extreme predictions would have earned before costs, with a standard error.

A row says where the close goes next and is judged by how far it went. Ties count: who trades does not know
beforehand which rows will be one. The tenths are taken within each fold, so that a model whose level differs
from fold to fold does not choose a period.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from common.protocol.reports import Edge
from trainer.candles.arrays import FloatArray

TENTH = 10
"""The extreme rows are one in so many at each end."""

LAGS = 4
"""Horizons that the standard error looks back on; returns of rows less than one apart share bars."""


@dataclass(frozen=True, eq=False)
class FoldOutcome:
    """What one fold predicted and what came of it, ties included, in order of time.

    `p` are the predictions and `moves` the log returns over the horizon in basis points, both of shape (n,).
    """

    p: FloatArray
    moves: FloatArray

    @cached_property
    def highest(self) -> Tenth:
        """The tenth of the highest predictions."""
        return Tenth.highest(self.p)

    @cached_property
    def lowest(self) -> Tenth:
        """The tenth of the lowest predictions."""
        return Tenth.lowest(self.p)


@dataclass(frozen=True, eq=False)
class Tenth:
    """One extreme tenth of a fold.

    `weights`, shape (n,), are 1 for the rows in it, 0 for the others, and a share for rows whose predictions
    are all `edge`, the last that it has room for; they sum up to `rows`.
    """

    weights: FloatArray
    rows: int
    edge: float

    @classmethod
    def highest(cls, p: FloatArray) -> Tenth:
        """Return the tenth of the highest predictions, at least one row."""
        rows = max(len(p) // TENTH, 1)
        edge = float(np.partition(p, len(p) - rows)[len(p) - rows])
        above, same = p > edge, p == edge
        share = (rows - np.count_nonzero(above)) / np.count_nonzero(same)
        return cls(above + share * same, rows, edge)

    @classmethod
    def lowest(cls, p: FloatArray) -> Tenth:
        """Return the tenth of the lowest predictions, at least one row."""
        mirrored = cls.highest(-p)
        return cls(mirrored.weights, mirrored.rows, -mirrored.edge)


def edge(folds: Sequence[FoldOutcome], horizon: int, costs_bp: float) -> Edge:
    """Measure what the extreme tenths of each fold would have earned.

    Parameters
    ----------
    folds : sequence of FoldOutcome
        The folds in order, each of at least one row.
    horizon : int
        Bars that a position is held.
    costs_bp : float
        Costs of a trade, in and out, in basis points.

    Notes
    -----
    The standard error is that of a difference of two means, with Bartlett's weights over lags of `LAGS`
    horizons (Newey & West 1987, Econometrica 55) and the share that they take from overlapping returns given
    back. That sum is the mean square of the sums over all windows of so many rows, as which it is computed.
    """
    highest = [fold.highest for fold in folds]
    lowest = [fold.lowest for fold in folds]
    moves = np.concatenate([fold.moves for fold in folds])
    bought = np.concatenate([tenth.weights for tenth in highest])
    sold = np.concatenate([tenth.weights for tenth in lowest])
    rows = sum(tenth.rows for tenth in highest)
    high, low = float(bought @ moves) / rows, float(sold @ moves) / rows
    part = (bought * (moves - high) - sold * (moves - low)) / (2 * rows)
    return Edge(
        rows=len(moves),
        tenth_rows=rows,
        high_bp=high,
        low_bp=low,
        edge_bp=(high - low) / 2,
        standard_error_bp=_standard_error(part, horizon),
        costs_bp=costs_bp,
        beyond_costs_share=float((np.abs(moves) > costs_bp).mean()),
    )


def _standard_error(part: FloatArray, horizon: int) -> float:
    """Return the standard error of a sum of parts of mean zero, whose neighbours share bars."""
    window = max(min(LAGS * horizon, len(part) // 3), 1) + 1
    sums = np.concatenate([np.zeros(window), np.cumsum(part), np.full(window - 1, part.sum())])
    windows = sums[window:] - sums[:-window]
    variance = float(windows @ windows) / window
    return math.sqrt(variance * (1 + (horizon - 1 / horizon) / (3 * window)))
