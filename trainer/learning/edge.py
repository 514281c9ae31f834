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
from itertools import accumulate

import numpy as np

from common.protocol.reports import Edge
from trainer.candles.arrays import FloatArray
from trainer.compiled.edges import End, end_of, parts_of_ends, sums_of_ends, window_squares

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
    """One extreme tenth of a fold: `rows` rows.

    Those beyond the edge of `end` count once. Those whose predictions are all the edge, the last that there
    is room for, count its share each, so that all sum up to `rows`.
    """

    rows: int
    end: End

    @classmethod
    def highest(cls, p: FloatArray) -> Tenth:
        """Return the tenth of the highest predictions, at least one row."""
        return cls._of(p, True)

    @classmethod
    def lowest(cls, p: FloatArray) -> Tenth:
        """Return the tenth of the lowest predictions, at least one row."""
        return cls._of(p, False)

    @classmethod
    def _of(cls, p: FloatArray, highest: bool) -> Tenth:
        rows = max(len(p) // TENTH, 1)
        return cls(rows, end_of(p, rows, highest))


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
    rows = sum(fold.highest.rows for fold in folds)
    high = low = 0.0
    for fold in folds:
        bought, sold = sums_of_ends(fold.p, fold.moves, fold.highest.end, fold.lowest.end)
        high += bought / rows
        low += sold / rows
    lengths = [len(fold.p) for fold in folds]
    part = np.empty(sum(lengths))
    for fold, stop in zip(folds, accumulate(lengths), strict=True):
        own = part[stop - len(fold.p) : stop]
        parts_of_ends(fold.p, fold.moves, fold.highest.end, fold.lowest.end, (high, low), rows, own)
    beyond = sum(np.count_nonzero(np.abs(fold.moves) > costs_bp) for fold in folds)
    return Edge(
        rows=len(part),
        tenth_rows=rows,
        high_bp=high,
        low_bp=low,
        edge_bp=(high - low) / 2,
        standard_error_bp=_standard_error(part, horizon),
        costs_bp=costs_bp,
        beyond_costs_share=beyond / len(part),
    )


def _standard_error(part: FloatArray, horizon: int) -> float:
    """Return the standard error of a sum of parts of mean zero, whose neighbours share bars."""
    window = max(min(LAGS * horizon, len(part) // 3), 1) + 1
    variance = window_squares(part, window) / window
    return math.sqrt(variance * (1 + (horizon - 1 / horizon) / (3 * window)))
