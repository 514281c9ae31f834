"""Alerts that nobody reports while nobody listens are not resolved by that."""

from __future__ import annotations

from coordinator.alerts import SILENCE_SECONDS
from coordinator.scrapes import OVERDUE
from tests.coordinator.specimens import MakeNight, Night
from tests.coordinator.test_alerts import notification, told


def test_nothing_is_silent_while_the_coordinator_itself_was_away(make_night: MakeNight) -> None:
    night = make_night()
    night.alerts.accept(notification(told()))
    night.clock.advance(86_400)
    back = make_night()
    for seconds in (SILENCE_SECONDS - 10, 5, 4):
        back.housekeeping.tick()
        _tick_through(back, seconds)
    assert len(back.alerts.page(True, 100, 0).alerts) == 1
    _tick_through(back, 5)
    assert len(back.alerts.page(True, 100, 0).alerts) == 0


def test_nothing_is_silent_while_the_machine_slept(night: Night) -> None:
    night.housekeeping.tick()
    night.alerts.accept(notification(told()))
    night.clock.advance(86_400)
    night.housekeeping.tick()
    assert len(night.alerts.page(True, 100, 0).alerts) == 1


def test_nothing_is_silent_while_prometheus_is_away_and_until_it_has_been_back_for_long(night: Night) -> None:
    night.housekeeping.tick()
    night.scrapes.record()
    night.alerts.accept(notification(told()))
    _tick_through(night, 2 * SILENCE_SECONDS)
    assert len(night.alerts.page(True, 100, 0).alerts) == 1
    _scraped_through(night, SILENCE_SECONDS - 20)
    assert len(night.alerts.page(True, 100, 0).alerts) == 1
    _scraped_through(night, 40)
    assert len(night.alerts.page(True, 100, 0).alerts) == 0


def _scraped_through(night: Night, seconds: float) -> None:
    while seconds > 0:
        night.scrapes.record()
        _tick_through(night, 15)
        seconds -= 15
    assert OVERDUE.total_seconds() > 15


def _tick_through(night: Night, seconds: float) -> None:
    """Pass a time in steps that are too short for a sleep of the machine."""
    while seconds > 0:
        step = min(seconds, 5.0)
        night.clock.advance(step)
        night.housekeeping.tick()
        seconds -= step
