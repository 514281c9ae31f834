"""When the run will end: the rest of the night played through many times with measured durations."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from statistics import fmean

from common.protocol.status import EtaView

UNKNOWN = EtaView(p50=None, p90=None)
MOST_DRAWS = 100
FEWEST_DRAWS = 20
STEPS = 20_000
"""How many job endings are played at most, unless that would be less than `FEWEST_DRAWS` nights."""
FEWEST_PLAYED = 60
"""So many of the last jobs are worth playing one by one, whatever the number of trainers."""


@dataclass(frozen=True)
class Bulk:
    """Jobs of which only the sum counts: of their expected seconds, and of the squares of these."""

    seconds: float
    squares: float

    def draw(self, ratios: Sequence[float], random: Random) -> float:
        """Return how long all take together where each takes one of some ratios of what is expected.

        The sum of many draws is normal, by the central limit theorem.
        """
        if not self.seconds:
            return 0.0
        mean = fmean(ratios)
        variance = fmean([(ratio - mean) ** 2 for ratio in ratios])
        return max(0.0, random.gauss(self.seconds * mean, math.sqrt(self.squares * variance)))


NOTHING = Bulk(0.0, 0.0)


def most_played(trainers: int) -> int:
    """Return how many of the last jobs are to be played one by one, so that the others may be a bulk.

    How the jobs before them are dealt out makes no difference to when all trainers are done with these.
    """
    return max(FEWEST_PLAYED, 2 * trainers)


def estimate(
    running: Sequence[tuple[float | None, float]],
    queued: Sequence[tuple[float | None, float]],
    residuals: Sequence[float],
    trainers: int,
    now: datetime,
    seed: int,
    before: Bulk = NOTHING,
) -> EtaView:
    """Return the median and the 90th percentile of the end of the run.

    Each draw resamples the measured ratios of actual to expected duration (the bootstrap of B. Efron, 1979,
    so that few measurements give a wide answer), draws one for each job, and lets the trainers take the
    jobs in the given order. A job that may not begin yet (it backs off, or its symbol is parked) is passed
    over until it may, and a trainer that finds nothing else waits for it.

    Parameters
    ----------
    running : sequence of (float or None, float)
        Expected duration of each leased job, and for how long it has run, in seconds.
    queued : sequence of (float or None, float)
        Expected duration of each queued job, and how long it may not begin yet (0 or more), in seconds, in
        the order in which they are handed out.
    residuals : sequence of float
        Ratios of measured to expected durations.
    trainers : int
        Trainers that are alive, the busy ones included.
    now : datetime
        The present time.
    seed : int
        Equal inputs and seed give equal answers.
    before : Bulk
        Queued jobs that are handed out before all these.

    Returns
    -------
    EtaView
        Both None where no trainer is alive or some duration is unknown; both `now` where nothing remains.
    """
    if not running and not queued and before == NOTHING:
        return EtaView(p50=now, p90=now)
    held = [(mean, ran) for mean, ran in running if mean is not None]
    waiting = [(mean, delay) for mean, delay in queued if mean is not None]
    if trainers < 1 or len(held) < len(running) or len(waiting) < len(queued):
        return UNKNOWN
    random = Random(seed)
    draws = min(MOST_DRAWS, max(FEWEST_DRAWS, STEPS // max(1, len(held) + len(waiting))))
    ends = sorted(_play(held, before, waiting, trainers, residuals or [1.0], random) for _ in range(draws))
    p50, p90 = ends[(draws - 1) // 2], ends[(9 * draws - 1) // 10]
    return EtaView(p50=now + timedelta(seconds=p50), p90=now + timedelta(seconds=p90))


def _play(
    running: Sequence[tuple[float, float]],
    before: Bulk,
    queued: Sequence[tuple[float, float]],
    trainers: int,
    residuals: Sequence[float],
    random: Random,
) -> float:
    seen = random.choices(residuals, k=len(residuals))
    ratios = iter(random.choices(seen, k=len(running) + len(queued)))
    # A job that has outlived its draw is taken to be in its last tenth.
    free_at = [max(mean * next(ratios) - ran, 0.1 * ran) for mean, ran in running]
    free_at += [0.0] * max(0, trainers - len(running))
    _pour(free_at, before.draw(seen, random))
    heapq.heapify(free_at)
    end = max(free_at)
    ready = deque(mean for mean, delay in queued if delay <= 0)
    delayed = deque(sorted((delay, mean) for mean, delay in queued if delay > 0))
    while ready or delayed:
        start = free_at[0] if ready else max(free_at[0], delayed[0][0])
        while delayed and delayed[0][0] <= start:
            ready.append(delayed.popleft()[1])
        done = start + ready.popleft() * next(ratios)
        heapq.heapreplace(free_at, done)
        end = max(end, done)
    return end


def _pour(free_at: list[float], seconds: float) -> None:
    """Let the trainers that are free first share some work, so that they are done with it together."""
    if seconds <= 0:
        return
    free_at.sort()
    sharing, whole = 0, seconds
    while sharing < len(free_at) and free_at[sharing] * sharing <= whole:
        whole += free_at[sharing]
        sharing += 1
    free_at[:sharing] = [whole / sharing] * sharing
