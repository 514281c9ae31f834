"""Which files are asked for."""

from __future__ import annotations

from datetime import date

from cli.archive.layout import Period, day_of
from cli.archive.plan import days_wanted, months_wanted, superseded, update_start

TODAY = date(2025, 3, 4)


def month(text: str) -> Period:
    period = Period.of(text)
    assert period is not None
    return period


def test_months_are_those_that_have_ended_and_are_not_there() -> None:
    assert list(map(str, months_wanted(date(2024, 12, 20), TODAY, ()))) == ["2024-12", "2025-01", "2025-02"]
    days = month("2025-01").days()
    held = {month("2024-12"), *days}
    assert list(map(str, months_wanted(date(2024, 12, 1), TODAY, held))) == ["2025-02"]
    assert month("2025-01") in months_wanted(date(2024, 12, 1), TODAY, held - {days[3]})


def test_days_are_those_of_unpublished_months_and_of_the_present_one() -> None:
    held = {month("2024-11"), month("2025-01"), day_of(date(2025, 3, 2))}
    wanted = days_wanted(date(2024, 1, 1), TODAY, held, {month("2024-12"), month("2024-05")})
    assert [str(day) for day in wanted] == [*map(str, month("2024-12").days()), "2025-03-01", "2025-03-03"]


def test_a_symbol_without_any_month_may_be_new() -> None:
    unpublished = months_wanted(date(2024, 1, 1), TODAY, ())
    wanted = days_wanted(date(2024, 1, 1), TODAY, (), unpublished)
    assert str(wanted[0]) == "2025-01-01"
    assert str(wanted[-1]) == "2025-03-03"


def test_an_update_begins_the_day_after_the_last() -> None:
    assert update_start({month("2024-12"), day_of(date(2025, 1, 5))}) == date(2025, 1, 6)
    assert update_start({month("2024-12")}) == date(2025, 1, 1)


def test_an_update_begins_with_the_first_month_that_is_missing_between_others() -> None:
    held = {month("2024-09"), month("2024-11"), *month("2024-12").days(), month("2025-02")}
    start = update_start(held)
    assert start == date(2024, 10, 1)
    assert list(map(str, months_wanted(start, TODAY, held))) == ["2024-10", "2025-01"]
    # Days before the first month are all that there are of the month of a listing.
    assert update_start({day_of(date(2024, 10, 30)), month("2024-11")}) == date(2024, 12, 1)


def test_days_are_superseded_by_their_month() -> None:
    held = {month("2025-01"), day_of(date(2025, 1, 5)), day_of(date(2025, 2, 5))}
    assert superseded(held) == [day_of(date(2025, 1, 5))]


def test_what_is_no_period_is_none() -> None:
    for text in ("2025-13", "2025-02-30", "2025", "2025-1", "latest"):
        assert Period.of(text) is None
