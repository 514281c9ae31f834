"""Which cells are left for the next night when not all fit into this one: those of least value.

A cell that is shed goes behind all others and is never refused: a trainer that finds nothing else takes it.
So a wrong estimate costs the order only, and what was shed is taken back by itself as soon as the rest fits.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Waiting:
    """A queued cell.

    `seconds` is its expected duration. `champion_days` is the age of its champion in days, None without one,
    which counts as the oldest; `volume` what is traded of its symbol a day; `auc` what its last model scored,
    None where there was none, which counts as middling.
    """

    job_id: int
    seconds: float
    champion_days: float | None
    volume: float
    auc: float | None


def shed(waiting: Sequence[Waiting], capacity_seconds: float) -> frozenset[int]:
    """Return the jobs that are left for the next night.

    The value of a cell is the mean of three ranks among those that wait, each from 0 to 1: by the age of its
    champion, by its symbol's volume, by its last AUC. The most valuable go first, in the order of the grid
    where they are equal, and a cell that no longer fits lets a shorter one after it pass.

    Parameters
    ----------
    waiting : sequence of Waiting
        In the order of the grid.
    capacity_seconds : float
        What all trainers can work together until the window closes, in seconds.

    Returns
    -------
    frozenset of int
        Empty where all fit.
    """
    if sum(cell.seconds for cell in waiting) <= capacity_seconds:
        return frozenset()
    ages = _ranks([float("inf") if cell.champion_days is None else cell.champion_days for cell in waiting])
    volumes = _ranks([cell.volume for cell in waiting])
    scored = sorted(cell.auc for cell in waiting if cell.auc is not None)
    aucs = [0.5 if cell.auc is None else _rank(cell.auc, scored) for cell in waiting]
    values = [age + volume + auc for age, volume, auc in zip(ages, volumes, aucs, strict=True)]
    left, kept = capacity_seconds, set()
    for index in sorted(range(len(waiting)), key=lambda index: -values[index]):
        if waiting[index].seconds <= left:
            left -= waiting[index].seconds
            kept.add(waiting[index].job_id)
    return frozenset(cell.job_id for cell in waiting if cell.job_id not in kept)


def _ranks(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    return [_rank(value, ordered) for value in values]


def _rank(value: float, ordered: Sequence[float]) -> float:
    """Return the share of the others that are smaller, with half of those that are equal."""
    others = len(ordered) - 1
    if others < 1:
        return 0.5
    below, through = bisect_left(ordered, value), bisect_right(ordered, value)
    return (below + (through - below - 1) / 2) / others
