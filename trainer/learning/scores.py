"""Scores of predicted probabilities against labels 0 and 1."""

from __future__ import annotations

import numpy as np

from common.protocol.reports import Scores, Ties
from trainer.candles.arrays import FloatArray


def midranks(values: FloatArray) -> FloatArray:
    """Return the rank of each value from 1 to n, shape (n,); equal values share the mean of their ranks."""
    order = np.argsort(values)
    ordered = values[order]
    last_of_run = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(values) - 1)
    length = np.diff(last_of_run, prepend=-1)
    middle = last_of_run + 1 - (length - 1) / 2
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(middle, length)
    return ranks


def area_under_curve(ranks: FloatArray, y: FloatArray) -> float | None:
    """Return the area under the ROC curve, or None where `y` has one class only.

    Parameters
    ----------
    ranks : ndarray of float64, shape (n,)
        `midranks` of the predictions.
    y : ndarray of float64, shape (n,)
        Labels 0 and 1.

    Notes
    -----
    This is the Mann-Whitney statistic; sums of ranks are multiples of one half and exact in float64.
    """
    positives = float(y.sum())
    negatives = len(y) - positives
    if not positives or not negatives:
        return None
    return float((ranks @ y - positives * (positives + 1) / 2) / (positives * negatives))


def row_losses(p: FloatArray, y: FloatArray) -> FloatArray:
    """Return -log of the probability that was given to what happened (natural logarithm), shape (n,).

    Probabilities of exactly 0 or 1 count as the nearest others that float64 can tell from them, as in
    scikit-learn.
    """
    epsilon = np.finfo(np.float64).eps
    given = np.clip(np.where(y > 0.5, p, 1.0 - p), epsilon, 1.0 - epsilon)
    losses: FloatArray = -np.log(given)
    return losses


def log_loss(p: FloatArray, y: FloatArray) -> float:
    """Return the mean of `row_losses`."""
    return float(row_losses(p, y).mean())


def score(p: FloatArray, y: FloatArray) -> Scores:
    """Score predictions.

    Parameters
    ----------
    p : ndarray of float64, shape (n,)
        Predicted probabilities of a rise.
    y : ndarray of float64, shape (n,)
        1 where it rose, else 0; n is at least 1.

    Returns
    -------
    Scores
        For the accuracy a prediction above 0.5 says rise, as in scikit-learn.
    """
    return Scores(
        auc=area_under_curve(midranks(p), y),
        brier=float(np.square(p - y).mean()),
        accuracy=float(((p > 0.5) == (y > 0.5)).mean()),
        log_loss=log_loss(p, y),
        base_rate=float(y.mean()),
        n=len(y),
    )


def score_ties(p: FloatArray, y: FloatArray, tied: FloatArray, rows: int, share: float) -> Ties:
    """Report what was left out as a tie, and what the score would be with it.

    Parameters
    ----------
    p, y : ndarray of float64, shape (n,)
        Predictions and labels of the rows that moved.
    tied : ndarray of float64, shape (t,)
        The same models' predictions of the ties beside them.
    rows, share : int, float
        The ties of all rows, those before the first test row too, and their share.
    """
    ranks = midranks(np.concatenate([p, tied]))
    return Ties(
        rows=rows,
        share=share,
        auc_with_ties=area_under_curve(ranks, np.concatenate([y, np.zeros(len(tied))])),
    )
