"""The window of the night: the hours in which jobs are handed out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from common.protocol.status import NightView
from common.settings.sections import Window


def night_at(window: Window | None, now: datetime) -> NightView:
    """Return whether the night is open at `now`, and when that changes next.

    Start and end are wall-clock times of the window's zone; on the days that switch to or from daylight
    saving time the night is an hour shorter or longer, as people expect of a clock on the wall.

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


def next_opening(window: Window, now: datetime) -> datetime:
    """Return when the window opens the next time after `now`, in UTC."""
    return min(start for start, _ in _spans(window, now) if start > now)


def _spans(window: Window, now: datetime) -> list[tuple[datetime, datetime]]:
    # Yesterday's night may reach into today, and today's may not have begun.
    today = now.astimezone(window.zone).date()
    spans = []
    for day in (today - timedelta(days=1), today, today + timedelta(days=1)):
        last = day if window.start < window.end else day + timedelta(days=1)
        start = datetime.combine(day, window.start, window.zone).astimezone(UTC)
        end = datetime.combine(last, window.end, window.zone).astimezone(UTC)
        spans.append((start, end))
    return spans
