"""How likely a score this good is by luck: the same predictions against circularly shifted labels.

Shifting keeps the autocorrelation of predictions and of labels, which a permutation would destroy; with it
a permutation's p-values are far too small. The statistic is the area under the ROC curve; since a shift
keeps the number of rises, it is ordered as the sum of ranks at rises, and that sum for all shifts is one
circular cross-correlation.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from trainer.candles.arrays import FloatArray
from trainer.features.indicators import WARM_UP
from trainer.learning.scores import midranks


def shift_p_value(p: FloatArray, y: FloatArray, horizon: int, memory: int = WARM_UP) -> float:
    """Return the one-sided p-value of the predictions' AUC under circular shifts of the labels.

    Parameters
    ----------
    p : ndarray of float64, shape (n,)
        Predictions in order of time.
    y : ndarray of float64, shape (n,)
        Labels 0 and 1 of the same rows.
    horizon : int
        Bars that a label spans. Labels of rows less than `horizon` apart share bars, so a shift by less, in
        either direction, still shows part of the truth; such shifts are left out.
    memory : int
        Bars that a prediction looks back on. Labels that have ended within them are in the features as past
        returns, so that a shift to them shows what the model is made of, and no luck; these shifts, on the
        past's side only, are left out as well.

    Returns
    -------
    float
        ``(1 + number of shifts that score as well or better) / (1 + number of shifts)``; 1 where there are
        no shifts or one class only.

    Notes
    -----
    Twice the midranks, centred, are whole numbers, and so is their sum over rises; rounding the transform's
    result to whole numbers makes ties exact (its error stays below 0.01 up to a million rows).
    """
    null = 2.0 * shifted_rank_sums(midranks(p), y)
    considered = allowed_shifts(len(y), horizon, memory)
    if not len(considered):
        return 1.0
    as_good = np.count_nonzero(np.rint(null[considered]) >= np.rint(null[0]))
    return float((1 + as_good) / (1 + len(considered)))


def allowed_shifts(rows: int, horizon: int, memory: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the shifts s that count: prediction i meets label (i + s) modulo `rows`.

    s from `horizon` on looks ahead; the s above ``rows - horizon - memory`` look back by less than that.
    """
    return np.arange(horizon, rows - horizon - memory + 1, dtype=np.int64)


def shifted_rank_sums(ranks: FloatArray, y: FloatArray) -> FloatArray:
    """Return for each shift s the sum over i of ``(ranks[i] - mean) * y[(i + s) % n]``, shape (n,)."""
    rows = len(y)
    # Doubling the labels and padding to a fast length keeps a prime number of rows from being ten times
    # slower.
    length = next_fast_len(2 * rows - 1, real=True)
    centred = ranks - (rows + 1) / 2
    doubled = np.concatenate([y, y[:-1]])
    sums: FloatArray = irfft(np.conj(rfft(centred, length)) * rfft(doubled, length), length)[:rows]
    return sums
