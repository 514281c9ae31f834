"""What a start of the coordinator records of the time in which there was none."""

from __future__ import annotations

from datetime import timedelta

import pytest

from common.protocol.alerts import AlertView
from coordinator.housekeeping.heartbeat import BEAT_SECONDS, Absence, Heartbeat
from coordinator.housekeeping.leader import SoleProcess
from coordinator.housekeeping.loop import Loop
from coordinator.store.seats import Seat
from tests.coordinator.specimens import NOON, MakeNight, Night


def recorded(night: Night) -> tuple[AlertView, ...]:
    return night.status().document().alerts


def lived(night: Night, seconds: float) -> None:
    """Live for so long, in steps of housekeeping."""
    night.housekeeping.tick()
    while seconds > 0:
        step = min(seconds, 1.0)
        night.clock.advance(step)
        night.housekeeping.tick()
        seconds -= step


@pytest.mark.parametrize(
    ("clean", "run", "seconds", "is_recorded"),
    [
        (False, None, 0, True),
        (False, 3, 0, True),
        (True, None, 86_400, False),
        (True, 3, 59, False),
        (True, 3, 60, True),
    ],
)
def test_a_crash_is_recorded_and_a_stop_that_kept_a_run_waiting(
    clean: bool, run: int | None, seconds: float, is_recorded: bool
) -> None:
    assert Absence(NOON, NOON + timedelta(seconds=seconds), clean, run).is_recorded is is_recorded


def test_the_first_start_of_all_records_nothing(night: Night) -> None:
    night.begin()
    lived(night, 60)
    assert recorded(night) == ()


def test_a_crash_is_recorded_from_the_last_heartbeat_on(
    make_night: MakeNight, caplog: pytest.LogCaptureFixture
) -> None:
    night = make_night()
    night.begin()
    lived(night, 300)
    night.clock.advance(BEAT_SECONDS - 1)
    night.housekeeping.tick()
    night.clock.advance(131)
    again = make_night()
    lived(again, 20)
    [alert] = recorded(again)
    assert (alert.name, alert.severity, alert.firing) == ("NighttrainCoordinatorAway", "warning", False)
    assert alert.labels == {
        "alertname": "NighttrainCoordinatorAway",
        "severity": "warning",
        "component": "coordinator",
    }
    assert (alert.starts, alert.ends) == (
        NOON + timedelta(minutes=5),
        NOON + timedelta(minutes=5, seconds=131 + BEAT_SECONDS - 1),
    )
    assert alert.description == (
        "The coordinator was down from 2026-03-02 12:05:00 to 2026-03-02 12:07:20 UTC (140 s) although "
        "nobody had stopped it: it was killed, or its machine went down; night 1 waited for it."
    )
    assert alert.runbook == "/runbook#nighttraincoordinatordown"
    assert [record.levelname for record in caplog.records if record.message == alert.description] == [
        "WARNING"
    ]


def test_each_crash_is_recorded_by_itself(make_night: MakeNight) -> None:
    for _ in range(3):
        lived(make_night(), 30)
    assert len(recorded(make_night())) == 2


def test_a_stop_in_the_middle_of_a_run_is_recorded_as_one(make_night: MakeNight) -> None:
    night = make_night()
    night.begin()
    night.housekeeping.start()
    night.housekeeping.stop()
    night.clock.advance(131)
    again = make_night()
    again.housekeeping.tick()
    [alert] = recorded(again)
    assert (alert.severity, alert.starts, alert.ends) == ("info", NOON, NOON + timedelta(seconds=131))
    assert alert.description == (
        "The coordinator was stopped from 2026-03-02 12:00:00 to 2026-03-02 12:02:11 UTC (131 s); night 1 "
        "waited for it."
    )


def test_a_stop_after_the_night_is_nobodys_business(make_night: MakeNight) -> None:
    night = make_night()
    night.housekeeping.start()
    night.housekeeping.stop()
    night.clock.advance(86_400)
    again = make_night()
    lived(again, 20)
    assert recorded(again) == ()


def test_a_clock_that_was_set_back_makes_no_absence_of_less_than_nothing(make_night: MakeNight) -> None:
    lived(make_night(), 60)
    again = make_night()
    again.clock.advance(-3600)
    again.housekeeping.tick()
    [alert] = recorded(again)
    assert alert.starts == alert.ends == NOON + timedelta(seconds=60)


def test_a_heartbeat_costs_a_write_every_ten_seconds_only(night: Night) -> None:
    loop = Loop(night.clock, [Heartbeat(night.database)], SoleProcess(), night.settings.lease.seconds)
    loop.tick()
    modes: list[str] = []
    night.database.took = lambda mode, seconds: modes.append(mode)
    for _ in range(20):
        night.clock.advance(BEAT_SECONDS / 10)
        loop.tick()
    assert modes == ["write", "write"]


def test_the_end_of_one_of_several_is_no_absence(make_night: MakeNight) -> None:
    night = make_night()
    first, second = (Heartbeat(night.database, Seat("folder", name, "/night")) for name in "ab")
    first.start()
    second.start()
    night.clock.advance(29)
    Heartbeat(night.database, first.seat).start()
    assert recorded(night) == ()
    night.clock.advance(31)
    Heartbeat(night.database, second.seat).start()
    [alert] = recorded(night)
    assert (alert.starts, alert.ends) == (NOON + timedelta(seconds=29), NOON + timedelta(seconds=60))
