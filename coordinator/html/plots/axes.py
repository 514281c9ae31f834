"""Axes: from values to places, and the round values or moments that are written along them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from markupsafe import Markup

from coordinator.html.plots.svg import element, label, line

_STEPS = (1, 5, 10, 30, 60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200)
_DAYS = (1, 2, 7, 14)
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)
DAY = 86_400.0
MONTH = 30.44 * DAY


@dataclass(frozen=True)
class Axis:
    """A linear scale from the values `low` to `high` to the places `start` to `stop`."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """Return the place of a value."""
        span = self.high - self.low
        share = (value - self.low) / span if span else 0.5
        return self.start + share * (self.stop - self.start)


@dataclass(frozen=True)
class TimeAxis:
    """A linear scale from moments to places."""

    low: datetime
    high: datetime
    start: float
    stop: float

    def __call__(self, moment: datetime) -> float:
        """Return the place of a moment."""
        span = (self.high - self.low).total_seconds()
        share = (moment - self.low).total_seconds() / span if span else 0.5
        return self.start + share * (self.stop - self.start)

    def within(self, moment: datetime) -> float:
        """Return the place of a moment, and that of the nearer end for one outside."""
        return self(min(max(moment, self.low), self.high))


def round_values(low: float, high: float, about: int = 5) -> list[float]:
    """Return round values from `low` to `high`, about as many as asked for."""
    if not high > low:
        return [low]
    rough = (high - low) / max(about, 1)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def round_moments(low: datetime, high: datetime, about: int = 6) -> list[datetime]:
    """Return round moments in UTC from `low` to `high`, about as many as asked for."""
    low, high = low.astimezone(UTC), high.astimezone(UTC)
    rough = (high - low).total_seconds() / max(about, 1)
    if rough <= 0:
        return [low]
    for step in _STEPS:
        if step >= rough:
            first = low.replace(hour=0, minute=0, second=0, microsecond=0)
            return _stepped(first, timedelta(seconds=step), low, high)
    for days in _DAYS:
        if days * DAY >= rough:
            first = low.replace(hour=0, minute=0, second=0, microsecond=0)
            return _stepped(first, timedelta(days=days), low, high)
    months = next((count for count in _MONTHS if count * MONTH >= rough), _MONTHS[-1])
    return _monthly(months, low, high)


def _stepped(first: datetime, step: timedelta, low: datetime, high: datetime) -> list[datetime]:
    skipped = math.ceil((low - first) / step)
    count = math.floor((high - first) / step)
    return [first + k * step for k in range(skipped, count + 1)]


def _monthly(months: int, low: datetime, high: datetime) -> list[datetime]:
    found = []
    for place in range(low.year * 12, high.year * 12 + 12, months):
        moment = datetime(place // 12, place % 12 + 1, 1, tzinfo=UTC)
        if low <= moment <= high:
            found.append(moment)
    return found


def moment_words(moment: datetime, span_seconds: float) -> str:
    """Return a moment in UTC as short as an axis of this length allows."""
    moment = moment.astimezone(UTC)
    if span_seconds > 300 * DAY:
        return f"{moment:%b %Y}" if moment.month > 1 else f"{moment:%Y}"
    if span_seconds > 4 * DAY:
        return f"{moment:%-d %b}"
    return f"{moment:%H:%M:%S}" if span_seconds < 600 else f"{moment:%H:%M}"


def time_axis(axis: TimeAxis, top: float, bottom: float, about: int = 6) -> Markup:
    """Return grid lines from `top` to `bottom` at round moments, written below.

    Moments of a day carry `data-time`, by which the page writes them in the viewer's zone.
    """
    span = (axis.high - axis.low).total_seconds()
    parts = []
    for moment in round_moments(axis.low, axis.high, about):
        x = axis(moment)
        words = moment_words(moment, span)
        anchor = "end" if x > axis.stop - 18 else "start" if x < axis.start + 18 else "middle"
        parts += [
            line(x, top, x, bottom, "grid"),
            element(
                "text",
                words,
                x=x,
                y=bottom + 14,
                class_="tick",
                text_anchor=None if anchor == "start" else anchor,
                data_time=moment.isoformat() if ":" in words else None,
                data_seconds="" if words.count(":") == 2 else None,
            ),
        ]
    return Markup().join(parts)


def value_axes(
    x: Axis, y: Axis, x_values: list[float], y_values: list[float], digits: tuple[int, int] = (2, 2)
) -> Markup:
    """Return grid lines at values of both axes, with the values below and to the left."""
    parts = []
    for value in x_values:
        parts += [line(x(value), y.start, x(value), y.stop, "grid")]
        parts += [label(x(value), max(y.start, y.stop) + 14, f"{value:.{digits[0]}f}", anchor="middle")]
    for value in y_values:
        parts += [line(x.start, y(value), x.stop, y(value), "grid")]
        parts += [label(x.start - 6, y(value) + 4, f"{value:.{digits[1]}f}", anchor="end")]
    return Markup().join(parts)
