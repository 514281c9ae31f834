"""Coarser bars from finer ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trainer.candles.bars import CLOSE, HIGH, LOW, OPEN, QUOTE_VOLUME, VOLUME, Bars


def resampled(
    bars: Bars, source_ms: int, target_ms: int, max_missing_share: float
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
        Share of the finer bars that a coarser one may lack. A last bar that the finer ones do not reach the
        end of is still open, and left out whatever the share.

    Returns
    -------
    bars : Bars
        Strictly ascending, on the grid of `target_ms`.
    complete : ndarray of bool, shape (n,)
        Which of them have all their finer bars.

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
    # The small constant keeps a share such as 0.175 of 1440 from losing its last bar to rounding.
    kept = missing <= np.floor(max_missing_share * due + 1e-9)
    kept[-1] &= bars.open_time[-1] + source_ms == (bins[-1] + 1) * target_ms

    values = bars.values
    turnover = np.where(
        np.isfinite(values[QUOTE_VOLUME]), values[QUOTE_VOLUME], values[VOLUME] * values[CLOSE]
    )
    coarse = np.empty((len(values), len(starts)))
    coarse[OPEN] = values[OPEN, starts]
    coarse[HIGH] = np.maximum.reduceat(values[HIGH], starts)
    coarse[LOW] = np.minimum.reduceat(values[LOW], starts)
    coarse[CLOSE] = values[CLOSE, ends - 1]
    coarse[VOLUME] = np.add.reduceat(values[VOLUME], starts)
    coarse[QUOTE_VOLUME] = np.add.reduceat(turnover, starts)
    return Bars(bins[kept] * target_ms, coarse[:, kept]), missing[kept] == 0
