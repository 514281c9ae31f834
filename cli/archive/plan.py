"""Which files of the archive to ask for. Decisions only: no clock, no network."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

from cli.archive.layout import Period, day_of

RECENT_MONTHS = 2
"""A symbol without any month may have been listed so many months ago at most: only their days are tried."""


def months_wanted(start: date, today: date, held: Collection[Period]) -> list[Period]:
    """Return the months to ask for: those that have ended and are not there, as a month or in all their days.

    Parameters
    ----------
    start : date
        A day of the first month.
    today : date
        In UTC.
    held : collection of Period
        What is there.
    """
    return [
        month
        for month in _months(start, today)
        if month.last < today.replace(day=1) and not _is_held(month, held)
    ]


def days_wanted(
    start: date, today: date, held: Collection[Period], unpublished: Collection[Period]
) -> list[Period]:
    """Return the days to ask for: of months that are not published, and of the one that has not ended.

    Months before the first one that is there are before the symbol was listed, so that their days are not
    asked for one by one.

    Parameters
    ----------
    start, today, held
        As of `months_wanted`; `held` with the months that have come by now.
    unpublished : collection of Period
        Months that the archive does not have.
    """
    first = min((period.whole_month for period in held), default=None)
    if first is None:
        back = today.replace(day=1)
        for _ in range(RECENT_MONTHS - 1):
            back = (back - timedelta(days=1)).replace(day=1)
        first = Period(back.year, back.month)
    # Of the month before the first one there may be a few days, which the archive has not made a month of.
    first = day_of(first.first - timedelta(days=1)).whole_month
    current = Period(today.year, today.month)
    months = [
        month
        for month in _months(start, today)
        if month >= first and (month in unpublished or month == current) and month not in held
    ]
    return [day for month in months for day in month.days() if day.first < today and day not in held]


def update_start(held: Collection[Period]) -> date:
    """Return from when on an update asks for candles: the first month that is missing between others.

    Without such a hole it is the day after the last one that is there. Days before the first whole month are
    those of a listing, of which there are no more.
    """
    last = max(period.last for period in held)
    whole = [period for period in held if not period.day]
    first = min(period.first for period in whole or held)
    holes = [month for month in _months(first, last) if month.last < last and not _is_held(month, held)]
    return holes[0].first if holes else last + timedelta(days=1)


def superseded(held: Collection[Period]) -> list[Period]:
    """Return the days whose month is there as a whole."""
    return sorted(period for period in held if period.day and period.whole_month in held)


def _is_held(month: Period, held: Collection[Period]) -> bool:
    return month in held or all(day in held for day in month.days())


def _months(start: date, today: date) -> list[Period]:
    months: list[Period] = []
    month = Period(start.year, start.month)
    while month.first <= today:
        months.append(month)
        following = month.last + timedelta(days=1)
        month = Period(following.year, following.month)
    return months
