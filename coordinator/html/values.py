"""How values are written for people, on the page and in the report."""

from __future__ import annotations

from datetime import datetime, timedelta

from markupsafe import Markup

from coordinator.policy.multiplicity import p_value_words

NONE = "\N{EN DASH}"
"""Stands where a value is not known."""


def moment(value: datetime | None) -> Markup | str:
    """Return a time with its date, in UTC; the page's script shows it in the reader's zone."""
    return _time(value, "%Y-%m-%d %H:%M", "day")


def clock(value: datetime | None) -> Markup | str:
    """Return a time of day, in UTC; the page's script shows it in the reader's zone."""
    return _time(value, "%H:%M", "clock")


def _time(value: datetime | None, form: str, kind: str) -> Markup | str:
    if value is None:
        return NONE
    # The page's script looks for exactly this form, also in what is sent later.
    text = '<time datetime="{:%Y-%m-%dT%H:%M:%SZ}" data-show="{}">{} UTC</time>'
    return Markup(text).format(value, kind, value.strftime(form))  # noqa: S704 (a constant of ours)


def gibibytes(value: float | None) -> str:
    """Return a number of bytes in GiB, or in MiB where that is less than a tenth of one."""
    if value is None:
        return NONE
    return f"{value / 1024**3:.1f} GiB" if value >= 0.1 * 1024**3 else f"{value / 1024**2:.0f} MiB"


def percent(value: float | None) -> str:
    """Return a share in percent."""
    return NONE if value is None else f"{value:.0%}"


def score(value: float | None) -> str:
    """Return a score with three digits."""
    return NONE if value is None else f"{value:.3f}"


def p_value(value: float | None) -> str:
    """Return a p-value with three digits; none is 0."""
    return NONE if value is None else p_value_words(value)


def count(value: float | None) -> str:
    """Return a number with thin spaces between thousands."""
    return NONE if value is None else f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def some(number: int, one: str, more: str = "") -> str:
    """Return a number with its noun: `some(2, "job")` is `2 jobs`."""
    return f"{count(number)} {one if number == 1 else more or one + 's'}"


def duration(value: float | timedelta | None) -> str:
    """Return a length of time, from seconds to days, by its two largest units."""
    if value is None:
        return NONE
    seconds = round(value.total_seconds() if isinstance(value, timedelta) else value)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s" if seconds < 600 else f"{seconds // 60} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
    return f"{seconds // 86400} d {seconds % 86400 // 3600} h"
