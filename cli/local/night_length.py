"""How long a night takes: its jobs played through many times. Decisions only, no clock."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

DRAWS = 400
SEED = 7

WORST_SHARING = 0.05
"""Every further trainer may slow all others by up to so much: they share memory and caches."""


@dataclass(frozen=True)
class Costs:
    """What jobs cost on this machine, measured; times in seconds.

    A training takes `training` + `training_row` a row, and the first of its series `features_row` a row more
    for the matrix. A survey takes `survey` + `survey_row` a row of its finest series.
    """

    training: float
    training_row: float
    features_row: float
    survey: float
    survey_row: float
    gap: float
    """From the end of a job to the beginning of the next on the same trainer."""
    fixed: float
    """All that no job takes: starts of processes, the end of the night."""
    ratios: tuple[float, ...]
    """Measured over computed duration of each job."""
    most_rows: int
    """Rows of the largest job that was measured."""
    trainers: int
    """How many trainers worked at the same time when it was measured."""
    spread: float
    """Standard deviation of the logarithm of a whole night's duration from one time to the next."""


@dataclass(frozen=True)
class Series:
    """One series of the grid, how many bars it has, and how many cells are trained on it."""

    symbol: str
    rows: int
    cells: int


@dataclass(frozen=True)
class Length:
    """How long a night takes, in seconds: less than that with a probability of 10, 50 and 90 %."""

    p10: float
    p50: float
    p90: float


def length(costs: Costs, grid: Sequence[Series], trainers: int) -> Length:
    """Return how long a night takes.

    In each draw every job takes its computed time by a measured ratio, all of them by one factor of how the
    machine is that night, and the trainers take the jobs as they become free; what was never measured in such
    a size is less certain, by a tenth for each doubling of the rows. No more trainers work than do good, as
    the coordinator sees to: where a night waits for one long job, further ones would only slow it.

    Parameters
    ----------
    costs : Costs
        What jobs cost.
    grid : sequence of Series
        All series, those of a symbol beside each other.
    trainers : int
        How many there are.
    """
    random = Random(SEED)
    largest = max((series.rows for series in grid), default=1)
    beyond = max(0.0, math.log2(largest / max(1, costs.most_rows)))
    spread = math.hypot(costs.spread, 0.1 * beyond)
    at_work = [trainers]
    while at_work[-1] // 2 >= max(1, costs.trainers):
        at_work.append(at_work[-1] // 2)
    ends = []
    for draw in range(DRAWS):
        factor = math.exp(random.gauss(0.0, spread))
        sharing = random.uniform(0.0, WORST_SHARING)
        # With the same luck, so that they differ by their number alone.
        played = [
            _played(costs, grid, count, 1.0 + max(0, count - costs.trainers) * sharing, Random(draw))
            for count in at_work
        ]
        ends.append(factor * (costs.fixed + min(played)))
    ends.sort()
    return Length(*(ends[int(share * (DRAWS - 1))] for share in (0.1, 0.5, 0.9)))


def _played(costs: Costs, grid: Sequence[Series], trainers: int, slowed: float, random: Random) -> float:
    def took(seconds: float) -> float:
        return seconds * slowed * random.choice(costs.ratios) + costs.gap

    free = [0.0] * trainers
    heapq.heapify(free)
    surveyed: dict[str, float] = {}
    for symbol in dict.fromkeys(series.symbol for series in grid):
        finest = max(series.rows for series in grid if series.symbol == symbol)
        surveyed[symbol] = heapq.heappop(free) + took(costs.survey + costs.survey_row * finest)
        heapq.heappush(free, surveyed[symbol])
    for series in sorted(grid, key=lambda one: surveyed[one.symbol]):
        for cell in range(series.cells):
            first = costs.features_row if cell == 0 else 0.0
            seconds = costs.training + (costs.training_row + first) * series.rows
            begun = max(heapq.heappop(free), surveyed[series.symbol])
            heapq.heappush(free, begun + took(seconds))
    return max(free)
