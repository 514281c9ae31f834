"""Coarser bars from finer ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trainer.candles.arrays import IntArray
from trainer.candles.bars import CLOSE, HIGH, LOW, OPEN, QUOTE_VOLUME, VOLUME, Bars

NONE: IntArray = np.empty(0, dtype=np.int64)


def resampled(
    bars: Bars, source_ms: int, target_ms: int, max_missing_share: float, idle: IntArray = NONE
) -> tuple[Bars, npt.NDArray[np.bool_]]:
    """Make coarser bars: first open, highest high, lowest low, last close, sums of the volumes.

    Parameters
    ----------
    bars : Bars
        Strictly ascending, on the grid of `source_ms`; where one lacks its quote volume it counts as volume x
        close.
    source_ms, target_ms : int
        Lengths of the finer and the coarser bar in milliseconds; the first divides the second.
    max_missing_share : float
        Share of the finer bars that a coarser one may lack, to the nearest whole bar: at 0.05 an hour may
        lack 3 of its 60 minutes, a quarter of an hour 1 of 15, and 5 minutes none. A last bar that the finer
        ones do not reach the end of is still open, and left out whatever the share.
    idle : ndarray of int64, shape (k,)
        Openings of finer bars that are absent since nothing was traded in them; they do not count as missing.

    Returns
    -------
    bars : Bars
        Strictly ascending, on the grid of `target_ms`.
    complete : ndarray of bool, shape (n,)
        Which of them have all their finer bars but those of `idle`.

    Raises
    ------
    ValueError
        `source_ms` does not divide `target_ms`.
    """
    if source_ms >= target_ms or target_ms % source_ms:
        raise ValueError(f"bars of {source_ms} ms cannot be put together to bars of {target_ms} ms")
    if not len(bars):
        return bars, np.zeros(0, dtype=np.bool_)
    of_row = bars.open_time // target_ms
    starts = np.flatnonzero(np.concatenate([[True], of_row[1:] != of_row[:-1]]))
    bins = of_row[starts]
    ends = np.concatenate([starts[1:], [len(bars)]])
    due = target_ms // source_ms
    missing = due - (ends - starts)
    if len(idle):
        place = np.searchsorted(bins, idle // target_ms)
        known = (place < len(bins)) & (bins[np.minimum(place, len(bins) - 1)] == idle // target_ms)
        missing = missing - np.bincount(place[known], minlength=len(bins))
    # The small constant keeps a half, such as 0.1 of 15, from being rounded up: then it may lack the fewer.
    kept = missing <= np.ceil(max_missing_share * due - 0.5 - 1e-9)
    kept[-1] &= bars.open_time[-1] + source_ms == (bins[-1] + 1) * target_ms

    values = bars.values
    coarse = np.empty((len(values), len(starts)))
    coarse[OPEN] = values[OPEN, starts]
    coarse[HIGH] = np.maximum.reduceat(values[HIGH], starts)
    coarse[LOW] = np.minimum.reduceat(values[LOW], starts)
    coarse[CLOSE] = values[CLOSE, ends - 1]
    coarse[VOLUME] = np.add.reduceat(values[VOLUME], starts)
    coarse[QUOTE_VOLUME] = np.add.reduceat(bars.turnovers, starts)
    return Bars(bins[kept] * target_ms, coarse[:, kept]), missing[kept] == 0
