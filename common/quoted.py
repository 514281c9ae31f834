"""What came from outside, made fit to stand in a line of a log, of a report, or on a terminal."""

from __future__ import annotations

import json
import re
from typing import Any

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


def escaped_lines(text: str) -> str:
    """Return a text whose lines and tabs are kept, with all else that cannot be printed escaped."""
    if text.isprintable():
        return text
    return "\n".join("\t".join(map(escaped, one.split("\t"))) for one in text.split("\n"))


def harmless(document: bytes) -> bytes:
    """Return a JSON document whose texts a terminal can be given; one that is none is returned as it is.

    Almost every document is harmless and is not even parsed.
    """
    # What is looked for has a backslash, a DEL, or is no ASCII; to see that takes a twentieth of the search.
    is_plain = document.isascii() and b"\\" not in document and b"\x7f" not in document
    if is_plain or not _HARMFUL.search(document):
        return document
    try:
        return json.dumps(_harmless(json.loads(document))).encode()
    except (ValueError, RecursionError):
        # Whoever reads it refuses it.
        return document


_HARMFUL = re.compile(
    # Controls and halves of surrogate pairs as JSON escapes them; line ends and tabs do no harm.
    rb"\\[bfr]|\\u(?:00[01789]|061|20[0-6]|[dD][89a-fA-F]|[fF][eE][fF])"
    # DEL, the second set of controls, and signs that turn the direction of writing, as UTF-8.
    rb"|\x7f|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf|\xed[\xa0-\xbf]"
)


def _harmless(value: Any) -> Any:
    if isinstance(value, str):
        return escaped_lines(value)
    if isinstance(value, list):
        return [_harmless(each) for each in value]
    if isinstance(value, dict):
        return {escaped(key): _harmless(each) for key, each in value.items()}
    return value


def _code(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
