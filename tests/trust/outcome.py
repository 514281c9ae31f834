"""What a check promises and what it measured, and what a check is given to measure with."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import binom

SURE = 0.0005
"""How often, at most, luck alone may fail a line that counts random samples."""


@dataclass(frozen=True)
class Outcome:
    """One line of the table.

    Parameters
    ----------
    name : str
        The check's name and, after a colon, what of it the line is about.
    promised, measured : str
        Both in the same unit, so that they can be compared by eye.
    of : str
        How many were measured: samples, cells, values.
    passed : bool
        Whether what was measured is what is promised.
    """

    name: str
    promised: str
    measured: str
    of: str
    passed: bool


@dataclass(frozen=True)
class Setup:
    """What a check works with.

    Parameters
    ----------
    seed : int
        Equal seeds make equal inputs.
    small : bool
        Whether to measure a small part, in seconds.
    folder : Path
        An empty folder of the check's own.
    say : callable
        Reports progress in a line.
    """

    seed: int
    small: bool
    folder: Path
    say: Callable[[str], None]

    def draw(self, name: str) -> np.random.Generator:
        """Return random numbers that depend on the seed and the name alone."""
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])


def most(samples: int, share: float, tries: int = 1) -> int:
    """Return the most of `samples` that luck alone brings where each has the chance `share`.

    `tries` is out of how many such numbers this one was picked as the largest.
    """
    return int(binom.ppf(1 - SURE / tries, samples, share))


def least(samples: int, share: float) -> int:
    """Return the fewest of `samples` that luck alone leaves where each has the chance `share`."""
    return int(binom.ppf(SURE, samples, share))
