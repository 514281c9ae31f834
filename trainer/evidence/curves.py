"""What is drawn of out-of-fold predictions: ROC, reliability, and the null distribution of the score."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from common.protocol.curves import Curves, NullDistribution, ReliabilityBin, RocPoint
from trainer.candles.arrays import FloatArray
from trainer.evidence.significance import RankSum
from trainer.learning.scores import Ordered, unequal_pairs

ROC_POINTS = 33
"""Thresholds at most; they lie at quantiles of the predictions, so that none is wasted."""

BINS = 10
"""Bins of the reliability curve, of about equally many rows."""

DIGITS = 5
"""Decimals of a share or a probability: a plot of 400 pixels shows three."""


def curves(ordered: Ordered, test: RankSum | None) -> Curves:
    """Return what is drawn of predictions.

    Parameters
    ----------
    ordered : Ordered
        Out-of-fold probabilities of a rise, and labels 0 and 1 of the same rows, and 1/2 for neither; the ROC
        curve leaves these out.
    test : RankSum or None
        The test of their score.
    """
    p, y = ordered.p, ordered.y
    return Curves(roc=_roc(p, y), reliability=_reliability(p, y), null=_null(y, test))


def _roc(p: FloatArray, y: FloatArray) -> tuple[RocPoint, ...]:
    """Return points of the curve of ascending predictions."""
    rises, others = np.count_nonzero(y > 0.5), np.count_nonzero(y < 0.5)
    if not rises or not others:
        return ()
    at = np.unique(p[np.rint(np.linspace(0, 1, ROC_POINTS) * (len(p) - 1)).astype(np.int64)])
    firsts = np.searchsorted(p, at, side="left").tolist()
    parts = [y[slice(*ends)] for ends in pairwise([*firsts, len(y)])]
    # Rows at or above each threshold, from the highest on.
    falses = np.cumsum([np.count_nonzero(part < 0.5) for part in reversed(parts)]).tolist()
    trues = np.cumsum([np.count_nonzero(part > 0.5) for part in reversed(parts)]).tolist()
    return tuple(
        RocPoint(
            threshold=_rounded(threshold),
            false_positive_ratio=_rounded(false / others),
            true_positive_ratio=_rounded(true / rises),
        )
        for threshold, false, true in zip(at[::-1].tolist(), falses, trues, strict=True)
    )


def _reliability(p: FloatArray, y: FloatArray) -> tuple[ReliabilityBin, ...]:
    """Return the bins of ascending predictions."""
    # Whatever lies between one prediction and the next parts them like the next one itself.
    inner = np.unique(p[[-(-part * (len(p) - 1) // BINS) for part in range(1, BINS)]])
    # Equal predictions share a bin; one that is an edge belongs to the bin above it.
    starts = [0, *np.searchsorted(p, inner, side="left").tolist()]
    bins = [slice(*ends) for ends in pairwise([*starts, len(p)])]
    return tuple(
        ReliabilityBin(
            predicted=_rounded(p[rows].mean()),
            observed=_rounded(y[rows].mean()),
            rows=rows.stop - rows.start,
        )
        for rows in bins
        if rows.stop > rows.start
    )


def _null(y: FloatArray, test: RankSum | None) -> NullDistribution | None:
    if test is None or test.variance <= 0:
        return None
    # The rank sum divided by the rows is AUC - 1/2 times the pairs of different outcomes / rows.
    scale = len(y) / unequal_pairs(y)
    return NullDistribution(
        observed=_rounded(0.5 + test.score * scale),
        center=_rounded(0.5 + test.lift * scale),
        standard_error=_significant(math.sqrt(test.variance) * scale),
        freedom=round(test.freedom, 1),
    )


def _rounded(value: float) -> float:
    return round(float(value), DIGITS)


def _significant(value: float) -> float:
    return float(f"{value:.4g}")
