"""A table in Markdown whose columns are aligned, so that it can be read as it is printed."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [head, *lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    drawn = [_line(row, widths) for row in rows]
    drawn.insert(1, _line(["-" * width for width in widths], widths))
    return "\n".join(drawn) + "\n"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"
