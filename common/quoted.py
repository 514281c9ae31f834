"""What came from outside, made fit to stand in a line of a log, of a report, or on a terminal."""

from __future__ import annotations

LONGEST = 60
"""Characters of a piece that are quoted, unless its place allows more."""


def quoted(text: str, most: int = LONGEST) -> str:
    """Return a piece of somebody else's text that can do no harm where it is quoted.

    Parameters
    ----------
    text : str
        Anything, for example a name in an archive or a value in a file.
    most : int
        More characters than these are cut off, and three dots say so.

    Returns
    -------
    str
        One line; what cannot be printed is written as Python writes it: line ends, the controls that a
        terminal obeys, signs that turn the direction of writing, and halves of surrogate pairs.
    """
    cut = text if len(text) <= most else text[: max(most - 3, 0)] + "..."
    return escaped(cut)


def escaped(text: str) -> str:
    """Return a text of any length on one line, with what cannot be printed written as Python writes it."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _code(one) for one in text)


def _code(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
