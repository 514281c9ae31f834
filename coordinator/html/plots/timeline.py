"""Trainers over the time of a night: what each worked on, and why it did not between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from coordinator.html.plots.axes import TimeAxis, time_axis
from coordinator.html.plots.svg import drawing, element, label, line, rectangle

WIDTH = 1200.0
LEFT, RIGHT, TOP, ROW, BAR, BOTTOM = 110.0, 14.0, 8.0, 34.0, 22.0, 24.0
WRITTEN = 7.0
"""Pixels that a letter takes; a name that does not fit its bar is only in its tip."""


@dataclass(frozen=True)
class Stretch:
    """A stretch of a trainer's time; `kind` is an outcome, or `gap`; `link` leads to its job."""

    start: datetime
    end: datetime
    kind: str
    name: str
    tip: str
    link: str = ""


@dataclass(frozen=True)
class Lane:
    """A trainer and its stretches, in order."""

    trainer: str
    stretches: tuple[Stretch, ...]


def timeline_plot(lanes: Sequence[Lane], low: datetime, high: datetime) -> Markup:
    """Draw what of the lanes lies between two moments."""
    x = TimeAxis(low, max(high, low + timedelta(seconds=1)), LEFT, WIDTH - RIGHT)
    bottom = TOP + ROW * len(lanes)
    parts: list[Markup] = []
    for place, lane in enumerate(lanes):
        top = TOP + ROW * place
        name = lane.trainer if len(lane.trainer) <= 15 else f"{lane.trainer[:14]}…"
        parts.append(label(LEFT - 10, top + ROW / 2 + 4, name, "tick", "end"))
        parts.append(line(LEFT, top + ROW, WIDTH - RIGHT, top + ROW, "grid"))
        parts += [
            _stretch(stretch, x, top + (ROW - BAR) / 2)
            for stretch in lane.stretches
            if stretch.end >= low and stretch.start <= high
        ]
    work = sum(stretch.kind != "gap" for lane in lanes for stretch in lane.stretches)
    return drawing(
        "timeline",
        WIDTH,
        bottom + BOTTOM,
        "Trainers over time",
        f"{work} attempts of {len(lanes)} trainer{'' if len(lanes) == 1 else 's'}; each leads to its job.",
        element("g", time_axis(x, TOP, bottom, 8)),
        *parts,
        role="group",
    )


def _stretch(stretch: Stretch, x: TimeAxis, y: float) -> Markup:
    start, end = x.within(stretch.start), x.within(stretch.end)
    width = max(end - start, 1.5)
    kind = f"stretch {stretch.kind}"
    if stretch.kind == "gap":
        # The reason lies over the whole height, so that a narrow gap can be pointed at.
        return rectangle(start, y, width, BAR, kind, stretch.tip)
    bar = rectangle(start, y, width, BAR, kind, stretch.tip)
    fits = width > WRITTEN * len(stretch.name) + 8
    text = label(start + width / 2, y + 15, stretch.name, "within", "middle") if fits else Markup()
    if not stretch.link:
        return element("g", bar, text)
    return element("a", bar, text, href=stretch.link, aria_label=stretch.tip)
