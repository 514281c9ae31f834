"""Whether a job that failed is tried again, and after what wait: budgets by cause, and a jittered backoff."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from common.protocol.jobs import Cause
from common.settings.sections import Retry


def retry_wait_seconds(
    cause: Cause, spent: Mapping[Cause, int], retry: Retry, random: Random
) -> float | None:
    """Return how many seconds a job waits after a failed attempt, or None if it has failed for good.

    Trying again cannot help candles that are too few or damaged, so their first failure is final.

    Parameters
    ----------
    cause : Cause
        Why the attempt failed; none of the free causes.
    spent : mapping of Cause to int
        Earlier attempts of the job that were charged, by cause.
    retry : Retry
        The budget of each cause, and how the waits grow.
    random : Random
        Source of the jitter.
    """
    budgets = {
        Cause.ERROR: retry.error,
        Cause.CRASH: retry.crash,
        Cause.TIMEOUT: retry.timeout,
        Cause.OOM: retry.oom,
        Cause.DATA: 1,
    }
    if spent.get(cause, 0) + 1 >= budgets[cause]:
        return None
    return backoff_seconds(sum(spent.values()) + 1, retry.backoff_base, retry.backoff_cap, random)


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
