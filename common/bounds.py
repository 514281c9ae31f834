"""What numbers and texts of messages and reports may be: more than any night needs, less than does harm.

A number beyond them is refused: it fits no column, no date, or no sum. A text is made to fit instead, since
the failure that it tells of must be told whatever its words: it is cut, and escaped where it cannot be
printed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from pydantic import AfterValidator, AwareDatetime, Field

from common.quoted import escaped, escaped_lines

MOST_ROWS = 2**31 - 1
"""The largest number that every database holds in an INTEGER."""
MOST_BYTES = 2**53 - 1
"""The largest whole number that JSON carries exactly, whoever reads it."""
MOST_SECONDS = 1e7
"""Four months: as long as no attempt takes, and so little that a sum over a large grid is still a date."""
LARGEST_NUMBER = 1e100
"""So large that no price, volume or coefficient comes near it, and its square is still a number."""
MOST_TURNOVER = LARGEST_NUMBER
"""Of a day: candles of odd units are judged by their own checks, not by this."""
FIRST_MOMENT = datetime(1800, 1, 1, tzinfo=UTC)
LAST_MOMENT = datetime(5200, 1, 1, tzinfo=UTC)
"""Later than any time that a source file can name: candles with such a time are refused as what they are."""

Bounded = TypeVar("Bounded", int, float)

MOST_LINE_CHARACTERS = 2_000
MOST_EVIDENCE_CHARACTERS = 20_000
MOST_NAME_CHARACTERS = 200

Count = Annotated[int, Field(ge=0, le=MOST_ROWS)]
Bytes = Annotated[int, Field(ge=0, le=MOST_BYTES)]
Tally = Annotated[int, Field(ge=0, le=MOST_BYTES)]
"""Places that were looked at, of which a large matrix has more than rows."""
Seconds = Annotated[float, Field(ge=0, le=MOST_SECONDS)]
Ratio = Annotated[float, Field(ge=0, le=1)]
Real = Annotated[float, Field(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)]
Positive = Annotated[float, Field(gt=0, le=LARGEST_NUMBER)]
NotNegative = Annotated[float, Field(ge=0, le=LARGEST_NUMBER)]
Amount = Annotated[float, Field(ge=0, le=MOST_ROWS)]
"""Of cores, of programs that wait, of what each of them had."""
Turnover = Annotated[float, Field(ge=0, le=MOST_TURNOVER)]
Moment = Annotated[AwareDatetime, Field(ge=FIRST_MOMENT, le=LAST_MOMENT)]
Digest = Annotated[str, Field(max_length=64, pattern="^[0-9a-f]*$")]
"""A SHA-256 in hexadecimal, or nothing."""


def line(text: str, most: int = MOST_LINE_CHARACTERS) -> str:
    """Return a text as one line of at most `most` characters; one that is such a line stays as it is."""
    fit = escaped(text[: most + 1])
    return fit if len(fit) <= most else fit[: most - 3] + "..."


def last_lines(text: str, most: int = MOST_EVIDENCE_CHARACTERS) -> str:
    """Return the last lines of a text, at most `most` characters; tabs are kept."""
    return escaped_lines(text[-most:].replace("\r\n", "\n"))[-most:]


def _shown(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it has characters that cannot be shown: write plain text")
    return text


def _fits(most: int) -> Callable[[str], str]:
    return lambda text: line(text, most)


Line = Annotated[str, AfterValidator(line)]
"""One line of words for people."""
ShortLine = Annotated[str, AfterValidator(_fits(200))]
Evidence = Annotated[str, AfterValidator(last_lines)]
"""Lines of a log or a traceback, the last of them."""
Name = Annotated[str, Field(min_length=1, max_length=MOST_NAME_CHARACTERS), AfterValidator(_shown)]
"""What something is told from others by; one that cannot be shown is refused, as two might look the same."""
Version = Annotated[str, Field(max_length=64), AfterValidator(_shown)]
Identity = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_shown)]
"""An id that its owner has made up."""


def clamped(value: Bounded, least: Bounded, most: Bounded) -> Bounded:
    """Return a number within its bounds; what is no number becomes the least."""
    return value if least <= value <= most else most if value > most else least
