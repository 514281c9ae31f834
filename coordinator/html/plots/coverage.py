"""What of a series is there: a strip from its first bar to its last, on a time axis shared by many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from coordinator.html.plots.axes import TimeAxis, time_axis
from coordinator.html.plots.svg import dot, drawing, label, rectangle

WIDTH = 1100.0
LEFT, RIGHT, TOP, ROW, BAR, BOTTOM = 54.0, 12.0, 6.0, 22.0, 12.0, 22.0
LEVELS = ((1.0, "whole"), (0.95, "most"), (0.5, "half"), (0.0, "little"))
"""The least share of each kind of part; below all of them nothing is there."""


@dataclass(frozen=True)
class Strip:
    """One series: its name, its span, the share that is there of each equal part, and places of defects."""

    name: str
    start: datetime | None
    end: datetime | None
    shares: tuple[float, ...]
    refused: bool = False
    defects: tuple[tuple[datetime, str], ...] = ()


def coverage_plot(what: str, strips: Sequence[Strip], low: datetime, high: datetime) -> Markup:
    """Draw the strips below each other, from the moment `low` to `high`."""
    x = TimeAxis(low, max(high, low + timedelta(seconds=1)), LEFT, WIDTH - RIGHT)
    bottom = TOP + ROW * len(strips)
    rows = [part for place, strip in enumerate(strips) for part in _row(strip, x, TOP + ROW * place)]
    lacking = [strip.name for strip in strips if any(share < 1 for share in strip.shares)]
    gaps = f"Bars are missing in {', '.join(lacking)}." if lacking else "No bar is missing."
    marked = sum(len(strip.defects) for strip in strips)
    places = (
        f" {marked} place{'' if marked == 1 else 's'} of defects {'is' if marked == 1 else 'are'} marked."
    )
    described = gaps + (places if marked else "")
    return drawing(
        "coverage",
        WIDTH,
        bottom + BOTTOM,
        what,
        described,
        time_axis(x, TOP, bottom),
        *rows,
    )


def _row(strip: Strip, x: TimeAxis, top: float) -> list[Markup]:
    y = top + (ROW - BAR) / 2
    parts = [label(LEFT - 8, top + ROW / 2 + 4, strip.name, "tick", "end")]
    if strip.start is None or strip.end is None:
        return [*parts, label(LEFT + 4, top + ROW / 2 + 4, "no bars", "tick faint")]
    shares = strip.shares or (1.0,)
    step = (strip.end - strip.start) / len(shares)
    for first, count in _runs(shares):
        share = shares[first]
        start, end = strip.start + first * step, strip.start + (first + count) * step
        tip = f"{strip.name} {start:%Y-%m-%d} to {end:%Y-%m-%d}: {_words(share)}"
        if not strip.shares:
            tip = f"{strip.name} {start:%Y-%m-%d} to {end:%Y-%m-%d}; where its gaps lie was not reported"
        kind = f"{_kind(share)}{' refused' if strip.refused else ''}{'' if strip.shares else ' unknown'}"
        # A part that lacks bars is seen even where it is narrower than a pixel.
        parts.append(rectangle(x(start), y, max(x(end) - x(start), 1.0), BAR, kind, tip))
    parts += [
        dot(x.within(moment), y + BAR / 2, 3.2, "defect", f"{strip.name}, {tip}")
        for moment, tip in strip.defects
    ]
    return parts


def _runs(shares: Sequence[float]) -> list[tuple[int, int]]:
    """Return where runs of equal shares begin and how long they are; fewer elements are drawn so."""
    runs: list[tuple[int, int]] = []
    for place, share in enumerate(shares):
        if runs and shares[runs[-1][0]] == share:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((place, 1))
    return runs


def _kind(share: float) -> str:
    if share <= 0:
        return "nothing"
    return next(kind for least, kind in LEVELS if share >= least)


def _words(share: float) -> str:
    if share >= 1:
        return "whole"
    return "no bars" if share <= 0 else f"{share:.1%} of the bars"
