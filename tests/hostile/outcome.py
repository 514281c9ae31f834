"""What an attack is given to work with, and what became of it."""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.aligned import aligned

HEAD = ("attack", "tries", "result", "")
SHOWN_CHARACTERS = 300


@dataclass(frozen=True)
class Outcome:
    """One line of the table.

    Parameters
    ----------
    attack : str
        The attack's name and, after a colon, what of it the line is about.
    tries : int
        How many hostile inputs were tried.
    result : str
        What came of them, such as how they were answered.
    broken : tuple of str
        Each promise that was broken, with the input that broke it, in one line.
    """

    attack: str
    tries: int
    result: str
    broken: tuple[str, ...] = ()

    @property
    def held(self) -> bool:
        """Whether no promise was broken, and there was something to try."""
        return self.tries > 0 and not self.broken


@dataclass(frozen=True)
class Setup:
    """What an attack works with.

    Parameters
    ----------
    seed : int
        Equal seeds make equal inputs.
    small : bool
        Whether to try a small part, in seconds.
    folder : Path
        An empty folder of the attack's own.
    say : callable
        Reports progress in a line.
    """

    seed: int
    small: bool
    folder: Path
    say: Callable[[str], None]

    def tries(self, whole: int, small: int) -> int:
        """Return how many inputs to try: of the whole attack, or of its small part."""
        return small if self.small else whole

    def random(self, name: str) -> Random:
        """Return random choices that depend on the seed and the name alone."""
        return Random(self.seed << 32 | zlib.crc32(name.encode()))


class Log:
    """Counts what became of each input of an attack, and keeps what broke."""

    def __init__(self) -> None:
        self.results: Counter[str] = Counter()
        self.broken: list[str] = []

    def add(self, result: str, broken: str = "") -> None:
        """Count one input by its result; `broken` says what promise it broke, if any."""
        self.results[result] += 1
        if broken:
            self.broken.append(" ".join(broken.split())[:SHOWN_CHARACTERS])

    def outcome(self, attack: str) -> Outcome:
        """Return the line of the table; the most frequent results come first."""
        words = ", ".join(f"{count} {result}" for result, count in self.results.most_common())
        return Outcome(attack, self.results.total(), words, tuple(self.broken))


def markdown(outcomes: Sequence[Outcome]) -> str:
    """Return the table: attack x tries x result."""
    return aligned(HEAD, [_cells(outcome) for outcome in outcomes])


def as_json(outcomes: Sequence[Outcome], seed: int, small: bool) -> str:
    """Return the same as a document: the seed, whether it is the small part, and the lines."""
    lines = [{**dataclasses.asdict(outcome), "held": outcome.held} for outcome in outcomes]
    return json.dumps({"seed": seed, "small": small, "outcomes": lines}, indent=2) + "\n"


def verdict(outcomes: Sequence[Outcome]) -> str:
    """Return in a sentence how many lines held."""
    held = sum(outcome.held for outcome in outcomes)
    tries = sum(outcome.tries for outcome in outcomes)
    return f"{held} of {len(outcomes)} lines held, in {tries} tries"


def _cells(outcome: Outcome) -> tuple[str, ...]:
    broken = f"{len(outcome.broken)} BROKEN" if outcome.tries else "NOTHING TRIED"
    return outcome.attack, f"{outcome.tries}", outcome.result, "held" if outcome.held else broken
