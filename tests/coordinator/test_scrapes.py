"""Whether Prometheus still watches."""

from __future__ import annotations

from datetime import timedelta

from coordinator.scrapes import OVERDUE, Scrapes
from tests.coordinator.specimens import Clock

LATE = OVERDUE.total_seconds() + 1


def test_where_nobody_ever_scraped_nothing_is_missed(clock: Clock) -> None:
    scrapes = Scrapes(clock)
    clock.advance(86_400)
    assert not scrapes.are_overdue
    assert scrapes.warnings() == ()


def test_scrapes_that_are_expected_are_missed_from_the_start_on(clock: Clock) -> None:
    scrapes = Scrapes(clock, expected=True)
    clock.advance(LATE - 2)
    assert not scrapes.are_overdue
    clock.advance(62)
    [warning] = scrapes.warnings()
    assert warning.startswith("Prometheus has not scraped the coordinator for 3 minutes: ")


def test_scrapes_are_regular_since_the_first_after_a_pause(clock: Clock) -> None:
    scrapes = Scrapes(clock)
    scrapes.record()
    began = clock.now
    clock.advance(15)
    scrapes.record()
    assert scrapes.regular_since == began
    clock.advance(LATE)
    assert scrapes.are_overdue
    assert scrapes.regular_since == clock.now
    scrapes.record()
    back = clock.now
    clock.advance(15)
    assert not scrapes.are_overdue
    assert scrapes.regular_since == back == began + timedelta(seconds=15 + LATE)
