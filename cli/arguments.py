"""The words of a command line, spelled as Typer reads them.

Typer takes one value an option. Ours may have several (``--symbols BTCUSDT ETHUSDT``).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

OUT = Path("night")
"""The folder that everything is written to, where none is named."""

NEGATIVE_NUMBER = re.compile(r"-\d+|-\d*\.\d+")


class Takes(StrEnum):
    """How many values an option takes."""

    NONE = "none"
    ONE = "one"
    MANY = "many"


def spelled_out(
    words: Sequence[str], options: Mapping[str, Takes], places: Collection[str] = ()
) -> list[str]:
    """Return the words with one option for each value.

    An option is never guessed: ``--symbol`` of one command may be ``--symbols`` of another, or a mistake.

    Parameters
    ----------
    words : sequence of str
        What follows the name of the command.
    options : mapping of str to Takes
        The names of its options, with their dashes.
    places : collection of str
        Those of them that name a file or a folder.

    Raises
    ------
    ValueError
        An option lacks its value, or that of a place is empty; in words for the user.
    """
    spelled: list[str] = []
    rest = deque(words)
    while rest:
        word = rest.popleft()
        if word == "--":
            return [*spelled, word, *rest]
        if not _is_option(word):
            spelled.append(word)
            continue
        given, attached, _ = word.partition("=")
        takes = options.get(given, Takes.NONE)
        if attached or takes is Takes.NONE:
            if given in places and word == f"{given}=":
                raise _is_empty(given)
            spelled.append(word)
            continue
        most = 1 if takes is Takes.ONE else len(rest)
        values: list[str] = []
        while rest and len(values) < most and not _is_option(rest[0]):
            values.append(rest.popleft())
        if not values:
            raise ValueError(f"{given} needs {'a value' if takes is Takes.ONE else 'at least one value'}")
        if given in places and "" in values:
            raise _is_empty(given)
        spelled += [f"{given}={value}" for value in values]
    return spelled


def _is_empty(given: str) -> ValueError:
    # An empty path would be the present folder, which a script without its variable would fill with a night.
    return ValueError(f"the value of {given} is empty; perhaps a variable is not set")


def separated(values: Sequence[str] | None) -> list[str] | None:
    """Return the values with those apart that a comma parts, as in ``BTCUSDT,ETHUSDT``; None stays None."""
    return None if values is None else [part for value in values for part in value.split(",") if part]


def _is_option(word: str) -> bool:
    # A horizon of -1 is a mistake in the value, and is called that; a name with a space is some file's.
    return len(word) > 1 and word[0] == "-" and " " not in word and not NEGATIVE_NUMBER.fullmatch(word)
