"""A model's coefficients by size, with the range that they had in the folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from coordinator.html.plots.axes import Axis, round_values
from coordinator.html.plots.svg import drawing, label, line, rectangle

WIDTH = 340.0
LEFT, RIGHT, TOP, ROW, BAR, BOTTOM = 132.0, 14.0, 6.0, 20.0, 11.0, 24.0


@dataclass(frozen=True)
class Coefficient:
    """A coefficient of a standardised feature, and the least and the greatest that a fold gave it."""

    feature: str
    value: float
    low: float
    high: float


def coefficients_plot(found: Sequence[Coefficient]) -> Markup:
    """Draw coefficients in the given order, rises to the right of the middle."""
    reach = max((abs(value) for one in found for value in (one.value, one.low, one.high)), default=1.0) or 1.0
    x = Axis(-reach, reach, LEFT, WIDTH - RIGHT)
    bottom = TOP + ROW * len(found)
    ticks = round_values(-reach, reach, 5)
    digits = max(0, *(len(f"{tick:g}".partition(".")[2]) for tick in ticks))
    rows = [part for place, one in enumerate(found) for part in _row(one, x, TOP + ROW * place)]
    largest = f"The largest is {found[0].feature} with {found[0].value:+.3g}." if found else ""
    return drawing(
        "coefficients",
        WIDTH,
        bottom + BOTTOM,
        "Coefficients by size",
        f"{len(found)} standardised features; a whisker spans what the folds gave. {largest}".strip(),
        *(line(x(tick), TOP, x(tick), bottom, "grid") for tick in ticks),
        *(label(x(tick), bottom + 14, f"{tick:.{digits}f}", anchor="middle") for tick in ticks),
        *rows,
        line(x(0), TOP, x(0), bottom, "baseline"),
    )


def _row(one: Coefficient, x: Axis, top: float) -> list[Markup]:
    middle = top + ROW / 2
    left, right = sorted((x(0), x(one.value)))
    name = one.feature if len(one.feature) <= 20 else f"{one.feature[:19]}…"
    tip = f"{one.feature}: {one.value:+.4g}, in the folds {one.low:+.4g} to {one.high:+.4g}"
    kind = "rise" if one.value >= 0 else "fall"
    return [
        label(LEFT - 8, middle + 4, name, "tick", "end"),
        rectangle(left, middle - BAR / 2, max(right - left, 1.0), BAR, kind, tip),
        line(x(one.low), middle, x(one.high), middle, "whisker"),
    ]
