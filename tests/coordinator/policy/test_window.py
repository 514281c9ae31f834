from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.settings.sections import Window
from coordinator.policy.window import PUNCTUAL, is_missed, last_opening, next_opening, night_at

EVENING = Window(start=time(22), end=time(7), timezone="Europe/Berlin")
DAY = Window(start=time(9), end=time(17))


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


def test_without_a_window_it_is_always_night() -> None:
    night = night_at(None, utc(2026, 1, 1))
    assert (night.open, night.opens, night.closes) == (True, None, None)


@pytest.mark.parametrize(
    ("now", "is_open"),
    [
        (utc(2026, 1, 5, 20, 59, 59), False),
        (utc(2026, 1, 5, 21), True),
        (utc(2026, 1, 6, 5, 59, 59), True),
        (utc(2026, 1, 6, 6), False),
    ],
)
def test_a_night_reaches_over_midnight_in_its_own_zone(now: datetime, is_open: bool) -> None:
    night = night_at(EVENING, now)
    assert night.open is is_open
    assert night.closes == (utc(2026, 1, 6, 6) if is_open else None)


def test_a_closed_night_says_when_it_opens() -> None:
    assert night_at(EVENING, utc(2026, 1, 5, 12)).opens == utc(2026, 1, 5, 21)
    assert night_at(DAY, utc(2026, 1, 5, 17)).opens == utc(2026, 1, 6, 9)


def test_the_night_of_the_change_to_summer_time_is_an_hour_shorter() -> None:
    night = night_at(EVENING, utc(2026, 3, 28, 22))
    assert night.closes == utc(2026, 3, 29, 5)
    assert night_at(EVENING, utc(2026, 3, 27, 22)).closes == utc(2026, 3, 28, 6)


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)))
def test_what_it_says_of_the_next_change_comes_true(now: datetime) -> None:
    night = night_at(EVENING, now)
    change = night.closes if night.open else night.opens
    assert change is not None and now < change <= now + timedelta(hours=16)
    assert night_at(EVENING, change - timedelta(microseconds=1)).open is night.open
    assert night_at(EVENING, change).open is not night.open


def test_it_opens_on_its_weekdays_only_and_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    work = Window(start=time(22), end=time(7), timezone="Europe/Berlin", weekdays=("fri", "mon"))
    assert work.weekdays == ("mon", "fri")
    friday, saturday, sunday = utc(2026, 1, 9, 23), utc(2026, 1, 10, 5), utc(2026, 1, 11, 5)
    assert [night_at(work, now).open for now in (friday, saturday, sunday)] == [True, True, False]
    assert night_at(work, sunday).opens == utc(2026, 1, 12, 21)
    assert last_opening(work, sunday) == utc(2026, 1, 9, 21)


def test_a_night_of_which_a_day_leaves_nothing_is_left_out() -> None:
    brief = Window(start=time(2, 30), end=time(3, 15), timezone="Europe/Berlin")
    assert last_opening(brief, utc(2026, 3, 29, 12)) == utc(2026, 3, 28, 1, 30)
    assert next_opening(brief, utc(2026, 3, 28, 12)) == utc(2026, 3, 30, 0, 30)


def test_only_by_its_policy_a_late_night_is_left_out() -> None:
    skip = EVENING.model_copy(update={"missed": "skip"})
    opening = utc(2026, 1, 5, 21)
    late = opening + PUNCTUAL + timedelta(seconds=1)
    assert [is_missed(EVENING, late), is_missed(skip, opening + PUNCTUAL), is_missed(skip, late)] == [
        False,
        False,
        True,
    ]
