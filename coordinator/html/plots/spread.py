"""What single jobs took, one row a group: each job a dot, the median a stroke."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from markupsafe import Markup

from coordinator.html.plots.axes import Axis, round_values
from coordinator.html.plots.svg import dot, drawing, label, line

WIDTH = 520.0
LEFT, RIGHT, TOP, ROW, BOTTOM = 64.0, 24.0, 6.0, 26.0, 24.0
SPREAD = 7.0
"""Pixels by which dots lie above or below the middle of their row, so that equal ones can be told apart."""
OFFSETS = (0.0, 0.5, -0.5, 1.0, -1.0, 0.25, -0.75)


@dataclass(frozen=True)
class SpreadRow:
    """A group and its jobs: the value of each, with what is told of it when the pointer rests there."""

    name: str
    values: tuple[tuple[float, str], ...]


def spread_plot(what: str, rows: Sequence[SpreadRow], written: Callable[[float], str]) -> Markup:
    """Draw groups below each other on one axis from 0; `written` writes a value."""
    high = max((value for row in rows for value, _ in row.values), default=0.0) or 1.0
    x = Axis(0.0, high * 1.02, LEFT, WIDTH - RIGHT)
    bottom = TOP + ROW * len(rows)
    ticks = round_values(0.0, high, 4)
    told = "; ".join(f"{row.name}: median {written(_middle(row))}" for row in rows if row.values)
    parts = [part for place, row in enumerate(rows) for part in _row(row, x, TOP + ROW * place)]
    return drawing(
        "spread",
        WIDTH,
        bottom + BOTTOM,
        what,
        f"{told}.",
        *(line(x(tick), TOP, x(tick), bottom, "grid") for tick in ticks),
        *(label(x(tick), bottom + 15, written(tick), anchor="middle") for tick in ticks),
        *parts,
    )


def _row(row: SpreadRow, x: Axis, top: float) -> list[Markup]:
    middle = top + ROW / 2
    parts = [label(LEFT - 8, middle + 4, row.name, "tick", "end")]
    if not row.values:
        return parts
    parts += [
        dot(x(value), middle + SPREAD * OFFSETS[place % len(OFFSETS)], 2.6, "point soft", tip)
        for place, (value, tip) in enumerate(row.values)
    ]
    centre = x(_middle(row))
    return [*parts, line(centre, top + 4, centre, top + ROW - 4, "median")]


def _middle(row: SpreadRow) -> float:
    return median(value for value, _ in row.values)
