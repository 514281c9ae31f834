"""The window of the night: the hours in which jobs are handed out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from common.messages import NightView
from common.settings import Window


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
    today = now.astimezone(window.zone).date()
    spans = []
    for day in (today - timedelta(days=1), today, today + timedelta(days=1)):
        last = day if window.start < window.end else day + timedelta(days=1)
        start = datetime.combine(day, window.start, window.zone).astimezone(UTC)
        end = datetime.combine(last, window.end, window.zone).astimezone(UTC)
        spans.append((start, end))
    for start, end in spans:
        if start <= now < end:
            return NightView(open=True, opens=None, closes=end)
    return NightView(open=False, opens=min(start for start, _ in spans if start > now), closes=None)
