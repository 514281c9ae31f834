"""The window of the night: the hours in which jobs are handed out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from common.protocol.status import NightView
from common.settings.sections import WEEKDAYS, Window

PUNCTUAL = timedelta(minutes=5)
"""A run that begins so soon after the opening is no late one: a restart in that minute is none to notice."""


def night_at(window: Window | None, now: datetime) -> NightView:
    """Return whether the night is open at `now`, and when that changes next.

    Start and end are wall-clock times of the window's zone; on the days that switch to or from daylight
    saving time the night is an hour shorter or longer, as people expect of a clock on the wall. A night that
    would end before it begins, in the hour that such a day leaves out, is left out.

    Parameters
    ----------
    window : Window or None
        None means that jobs are handed out at any hour.
    now : datetime
        An aware time.

    Returns
    -------
    NightView
        With `closes` while it is open, with `opens` while it is closed, both in UTC.
    """
    if window is None:
        return NightView(open=True, opens=None, closes=None)
    for start, end in _spans(window, now):
        if start <= now < end:
            return NightView(open=True, opens=None, closes=end)
    return NightView(open=False, opens=next_opening(window, now), closes=None)


def last_opening(window: Window, now: datetime) -> datetime:
    """Return when the window last opened at or before `now`, in UTC; it may be closed again."""
    return max(start for start, _ in _spans(window, now) if start <= now)


def is_missed(window: Window, now: datetime) -> bool:
    """Return whether it is too late to begin the night of the last opening, by the window's policy."""
    return window.missed == "skip" and now - last_opening(window, now) > PUNCTUAL


def next_opening(window: Window, now: datetime) -> datetime:
    """Return when the window opens the next time after `now`, in UTC."""
    return min(start for start, _ in _spans(window, now) if start > now)


def _spans(window: Window, now: datetime) -> tuple[tuple[datetime, datetime], ...]:
    return _spans_around(window, now.astimezone(window.zone).date())


@lru_cache(maxsize=16)
def _spans_around(window: Window, today: date) -> tuple[tuple[datetime, datetime], ...]:
    # The night of the day before may reach into today, and a change of the clock may leave a night out: then
    # the last or the next is that of another day or week.
    reach = 2 if len(window.weekdays) == len(WEEKDAYS) else 15
    spans = []
    for offset in range(-reach, reach + 1):
        day = today + timedelta(days=offset)
        if WEEKDAYS[day.weekday()] not in window.weekdays:
            continue
        last = day if window.start < window.end else day + timedelta(days=1)
        start = datetime.combine(day, window.start, window.zone).astimezone(UTC)
        end = datetime.combine(last, window.end, window.zone).astimezone(UTC)
        if start < end:
            spans.append((start, end))
    return tuple(spans)
