"""Plain columns: for a terminal, a container, a log, a pipe."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime

GAP = "  "
LEAST_P_VALUE = 0.0001
SHORTEST = 20
"""The last column is never cut shorter than this."""


def columns(head: Sequence[str], rows: Iterable[Sequence[str]], cut: bool = True) -> str:
    """Return a table whose last column is cut to the terminal's width; a pipe gets all of it.

    Where the text is broken into lines elsewhere, nothing needs to be `cut`.
    """
    table = [tuple(map(shown, row)) for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    left = sum(widths[:-1]) + len(GAP) * (len(widths) - 1)
    most = max(SHORTEST, width() - left) if cut and width() else None
    lines = []
    for row in table:
        last = row[-1] if most is None or len(row[-1]) <= most else row[-1][: most - 1] + "…"
        cells = [text.ljust(size) for text, size in zip(row[:-1], widths[:-1], strict=True)]
        lines.append(GAP.join((*cells, last)).rstrip())
    return "\n".join(lines)


def facts(told: Iterable[tuple[str, str]]) -> str:
    """Return names and values below each other, without those that have no value."""
    rows = [(name, shown(value)) for name, value in told if value]
    size = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{name.ljust(size)}  {value}" for name, value in rows)


def width() -> int:
    """Return the width of the terminal, or 0 where the output is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def moment(when: datetime | None) -> str:
    """Return a time in UTC, or nothing."""
    return f"{when:%Y-%m-%d %H:%M:%S}" if when is not None else ""


def number(value: float | None, digits: int = 4) -> str:
    """Return a number, or nothing."""
    return f"{value:.{digits}f}" if value is not None else ""


def p_value(value: float | None) -> str:
    """Return a p-value, or nothing; none is 0."""
    return "< 0.0001" if value is not None and value < LEAST_P_VALUE else number(value)


def seconds(value: float | None) -> str:
    """Return a length of time, or nothing."""
    return f"{value:.1f} s" if value is not None else ""


def gib(value: int | None) -> str:
    """Return a number of bytes in GiB, or nothing."""
    return f"{value / 1024**3:.2f} GiB" if value is not None else ""


def shown(text: str) -> str:
    """Return a text as one line; what comes from outside must not move the cursor or change colours."""
    return "".join(letter if letter.isprintable() else "�" for letter in " ".join(text.split()))
