"""How much of its time a series covers: the share of the bars that are there, in parts of equal length."""

from __future__ import annotations

import numpy as np

from trainer.candles.arrays import IntArray

PARTS = 96
"""Parts of a span at most: as many as a bar of some hundred pixels can show, in less than 1 kB."""


def coverage(open_time: IntArray, interval: int) -> tuple[float, ...]:
    """Return the share of the bars that are there, from the first bar to the last.

    Parameters
    ----------
    open_time : ndarray of int64, shape (n,)
        Openings in milliseconds since the epoch, ascending.
    interval : int
        Length of a bar in milliseconds.

    Returns
    -------
    tuple of float
        At most `PARTS` shares from 0 to 1, rounded down to a thousandth: 1 means that nothing is missing.
        The parts differ by one bar at most.
    """
    if not len(open_time):
        return ()
    place = (open_time - open_time[0]) // interval
    expected = int(place[-1]) + 1
    parts = min(PARTS, expected)
    # Where each part begins, in bars from the first.
    edges = np.arange(parts + 1) * expected // parts
    there = np.diff(np.searchsorted(place, edges))
    return tuple((np.floor(1000 * there / np.diff(edges)) / 1000).tolist())
