"""Scores of predicted probabilities against labels 0 and 1, and 1/2 for neither."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.protocol.reports import Scores, Ties
from trainer.candles.arrays import FloatArray
from trainer.compiled.predictions import midranks, raised, ranked_and_ordered, summed_losses, tallies

CHUNK = 8192


@dataclass(frozen=True, eq=False)
class Ordered:
    """Predictions and their outcomes in the order of ascending predictions, put in order once for all uses.

    Parameters
    ----------
    p, y : ndarray of float64, shape (n,)
        Predictions, ascending, and outcomes.
    midranks : ndarray of float64, shape (n,)
        The ranks of the predictions as they stood before, from 1 to n; equal ones share the mean of theirs.
    of_outcomes : float
        The sum of the ranks times the outcomes.
    """

    p: FloatArray
    y: FloatArray
    midranks: FloatArray
    of_outcomes: float

    @classmethod
    def of(cls, p: FloatArray, y: FloatArray) -> Ordered:
        """Put predictions in order."""
        ranks, ascending, outcomes = ranked_and_ordered(p, y)
        return cls(ascending, outcomes, ranks, float(ranks @ y))


def unequal_pairs(y: FloatArray) -> float:
    """Return how many pairs of rows have different outcomes; one of 1/2 and another counts as half a pair."""
    rises, falls = int(np.count_nonzero(y > 0.5)), int(np.count_nonzero(y < 0.5))
    return rises * falls + 0.5 * (rises + falls) * (len(y) - rises - falls)


def area_under_curve(ranks: FloatArray, y: FloatArray) -> float | None:
    """Return the share of pairs of different outcomes in the right order, or None where all are equal.

    Parameters
    ----------
    ranks : ndarray of float64, shape (n,)
        `midranks` of the predictions.
    y : ndarray of float64, shape (n,)
        Outcomes 0, 1/2 and 1.

    Notes
    -----
    Of two outcomes this is the area under the ROC curve and the Mann-Whitney statistic; sums of ranks are
    multiples of one half and exact in float64. Of three, pairs count as their outcomes differ: who only tells
    whether a row is 1/2 gains as much at one side as is lost at the other.
    """
    pairs = unequal_pairs(y)
    if not pairs:
        return None
    return float((ranks @ y - float(y.sum()) * (len(y) + 1) / 2 + pairs / 2) / pairs)


def row_losses(p: FloatArray, y: FloatArray) -> FloatArray:
    """Return -log of the probability that was given to what happened (natural logarithm), shape (n,).

    An outcome of 1/2 counts as half of each. Probabilities of exactly 0 or 1 count as the nearest others that
    float64 can tell from them, as in scikit-learn.
    """
    losses = np.empty(len(p))
    # What each step leaves is still in the cache for the next one.
    for start in range(0, len(p), CHUNK):
        rows = slice(start, start + CHUNK)
        _row_losses(p[rows], y[rows], losses[rows])
    return losses


def _row_losses(p: FloatArray, y: FloatArray, losses: FloatArray) -> None:
    _given(p, y, losses)
    np.log(losses, out=losses)
    np.negative(losses, out=losses)


def _given(p: FloatArray, y: FloatArray, given: FloatArray) -> None:
    """Write to `given` the probability that was given to what happened; of 1/2 the geometric mean of both."""
    epsilon = np.finfo(np.float64).eps
    # 1 - y - p is -p of a rise and 1 - p of a fall, to the last digit.
    np.subtract(1.0, y, out=given)
    given -= p
    np.abs(given, out=given)
    np.clip(given, epsilon, 1.0 - epsilon, out=given)
    between = y == 0.5
    if between.any():
        either = np.clip(p[between], epsilon, 1.0 - epsilon)
        given[between] = np.sqrt(either * (1.0 - either))


def log_loss(p: FloatArray, y: FloatArray) -> float:
    """Return the mean of `row_losses`."""
    return summed_losses(p, y, float(np.finfo(np.float64).eps)) / len(p)


def score(p: FloatArray, y: FloatArray, ranks: FloatArray | None = None) -> Scores:
    """Score predictions.

    Parameters
    ----------
    p : ndarray of float64, shape (n,)
        Predicted probabilities of a rise.
    y : ndarray of float64, shape (n,)
        1 where it rose, 0 where it fell, 1/2 where neither counts; n is at least 1.
    ranks : ndarray of float64, shape (n,), optional
        `midranks` of the predictions, where they are known already.

    Returns
    -------
    Scores
        For the accuracy a prediction above 0.5 says rise, as in scikit-learn; it is 0 where no row has a
        direction.
    """
    squares, directed, right = tallies(p, y)
    return Scores(
        auc=area_under_curve(midranks(p) if ranks is None else ranks, y),
        brier=squares / len(y),
        accuracy=right / max(directed, 1),
        log_loss=log_loss(p, y),
        base_rate=float(y.mean()),
        n=len(y),
    )


def score_ties(ordered: Ordered, tied: FloatArray, rows: int, share: float) -> Ties:
    """Report what was left out as a tie, and what the score would be with it.

    Parameters
    ----------
    ordered : Ordered
        Predictions and labels of the rows that moved.
    tied : ndarray of float64, shape (t,)
        The same models' predictions of the ties beside them.
    rows, share : int, float
        The ties of all rows, those before the first test row too, and their share.
    """
    return Ties(rows=rows, share=share, auc_with_ties=area_under_curve_with_falls(ordered, tied))


def area_under_curve_with_falls(ordered: Ordered, falls: FloatArray) -> float | None:
    """Return `area_under_curve` of predictions and of further ones whose outcome is 0.

    Parameters
    ----------
    ordered : Ordered
        The predictions.
    falls : ndarray of float64, shape (t,)
        The further predictions, in any order.
    """
    y = ordered.y
    pairs = unequal_pairs(y) + len(falls) * float(y.sum())
    if not pairs:
        return None
    # Each of them raises the ranks above it by one, and those of its equals by a half. All sums are multiples
    # of one quarter, and exact.
    total = ordered.of_outcomes + raised(ordered.p, y, falls)
    return float((total - float(y.sum()) * (len(y) + len(falls) + 1) / 2 + pairs / 2) / pairs)
