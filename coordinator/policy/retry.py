"""How long a job waits before its next attempt: exponential backoff with full jitter."""

from __future__ import annotations

from random import Random


def backoff_seconds(failures: int, base: float, cap: float, random: Random) -> float:
    """Return how many seconds to wait after the `failures`-th failure of a job.

    Full jitter draws the whole wait from 0 to the exponential bound, so that jobs that failed together do
    not come back together (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).

    Parameters
    ----------
    failures : int
        Failed attempts so far, at least 1.
    base, cap : float
        Bound after the first failure, and the greatest bound, in seconds.
    random : Random
        Source of the jitter.

    Returns
    -------
    float
        Seconds from 0 to ``min(cap, base * 2 ** (failures - 1))``.

    Raises
    ------
    ValueError
        `failures` is less than 1.
    """
    if failures < 1:
        raise ValueError(f"failures must be at least 1, got {failures}")
    # Beyond 2**64 the cap has long won, and the power would only overflow.
    bound = min(cap, base * 2.0 ** min(failures - 1, 64))
    return random.uniform(0.0, bound)
