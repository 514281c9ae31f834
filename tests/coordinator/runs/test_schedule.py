from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.protocol.runs import RunRequest, RunState
from common.settings.grid import GridConfig
from common.settings.night import NightSettings
from common.settings.sections import Window
from coordinator.policy.window import last_opening, next_opening, night_at
from coordinator.runs.schedule import begin_if_due, is_due
from coordinator.store.database import Transaction
from coordinator.store.rows import RunRow, newest_run
from tests.coordinator.specimens import NOON, MakeNight

LUNCH = Window(start=time(11), end=time(13))
OPENED = NOON - timedelta(hours=1)
DONE = RunRow(
    id=1,
    state=RunState.DONE,
    config="{}",
    synthetic=False,
    created=OPENED - timedelta(days=1),
    decided=None,
    finished=OPENED - timedelta(hours=3),
    results_path="",
)


def settings(window: Window | None = LUNCH, training: bool = True) -> NightSettings:
    return NightSettings(window=window, training=training)


class TestTheDecision:
    def test_an_open_window_without_any_run_begins_one(self) -> None:
        assert is_due(settings(), NOON, None)

    def test_the_run_of_the_night_before_is_no_run_of_this_night(self) -> None:
        assert is_due(settings(), NOON, DONE)

    @pytest.mark.parametrize(
        "served",
        [
            replace(DONE, created=OPENED, finished=OPENED + timedelta(minutes=5)),
            replace(DONE, state=RunState.CANCELLED, finished=OPENED + timedelta(minutes=5)),
            replace(DONE, finished=OPENED),
            replace(DONE, state=RunState.RUNNING, finished=None),
        ],
        ids=["ended within it", "cancelled within it", "carried over to its first moment", "carried over"],
    )
    def test_an_opening_has_one_run(self, served: RunRow) -> None:
        assert not is_due(settings(), NOON, served)

    @pytest.mark.parametrize("now", [OPENED - timedelta(seconds=1), OPENED + timedelta(hours=2)])
    def test_a_closed_window_begins_none(self, now: datetime) -> None:
        assert not is_due(settings(), now, None)

    def test_without_a_window_there_is_no_schedule(self) -> None:
        assert not is_due(settings(window=None), NOON, None)

    def test_training_switched_off_begins_none(self) -> None:
        assert not is_due(settings(training=False), NOON, None)

    @given(
        st.times(),
        st.times(),
        st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]),
        st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
    )
    def test_openings_enclose_the_present(self, start: time, end: time, zone: str, now: datetime) -> None:
        if start == end:
            return
        window = Window(start=start, end=end, timezone=zone)
        before, after = last_opening(window, now), next_opening(window, now)
        assert before <= now < after
        assert timedelta(hours=22) <= after - before <= timedelta(hours=26)
        night = night_at(window, now)
        assert night.opens in (None, after)
        # From one opening to the next there is one run, whenever it is asked.
        ended_before = replace(DONE, finished=before - timedelta(seconds=1))
        assert is_due(settings(window), now, ended_before) == night.open
        assert not is_due(settings(window), now, replace(DONE, finished=before))

    @pytest.mark.parametrize(
        ("window", "nights"),
        [
            (Window(start=time(22), end=time(7), timezone="Europe/Berlin"), 730),
            (Window(start=time(1, 30), end=time(2, 30), timezone="America/New_York"), 730),
            # In spring the hour from two to three is left out: it would end before it begins.
            (Window(start=time(2, 30), end=time(3, 15), timezone="Europe/Berlin"), 728),
            (Window(start=time(22), end=time(7), timezone="Europe/Berlin", weekdays=("sat", "sun")), 208),
            (Window(start=time(23), end=time(6), timezone="Australia/Lord_Howe", missed="skip"), 730),
        ],
        ids=["Berlin", "New York", "in the hour that is left out", "weekends", "half an hour"],
    )
    def test_two_years_have_a_run_a_night(self, window: Window, nights: int) -> None:
        """By a clock that ticks each quarter of an hour, with runs of three hours and runs of one minute."""
        now, by = utc(2024, 4, 10, 9), settings(window)
        newest: RunRow | None = replace(DONE, finished=now)
        begun: list[datetime] = []
        while now < utc(2026, 4, 10, 9):
            if newest is not None and newest.finished is None and now >= begun[-1] + timedelta(hours=3):
                newest = replace(newest, finished=now)
            if is_due(by, now, newest):
                short = len(begun) % 3 == 0
                newest = replace(DONE, finished=now + timedelta(minutes=1) if short else None)
                begun.append(now)
            now += timedelta(minutes=15)
        assert len(begun) == nights
        days = [moment.astimezone(window.zone).date() for moment in begun]
        assert len(set(days)) == nights

    def test_a_change_of_the_zone_begins_no_second_run_of_an_opening_that_has_had_one(self) -> None:
        """The machine moves from Berlin to Tokyo, whose evening has passed already."""
        tokyo = Window(start=time(22), end=time(7), timezone="Asia/Tokyo")
        now = utc(2026, 1, 5, 21, 30)
        assert night_at(tokyo, now).open
        assert is_due(settings(tokyo), now, replace(DONE, finished=utc(2026, 1, 5, 12, 59)))
        assert not is_due(settings(tokyo), now, replace(DONE, finished=utc(2026, 1, 5, 13)))


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


class TestTheEffect:
    def test_the_run_is_of_the_coordinators_own_settings_and_begins_once(self, make_night: MakeNight) -> None:
        night = make_night(window=LUNCH, symbols=("BTCUSDT",), timeframes=("1h",), horizons=(3,))
        night.housekeeping.tick()
        [run] = night.run_listing.page(10, 0).runs
        assert run.config.model_dump(mode="json") == night.settings.grid_config()
        night.housekeeping.tick()
        assert night.run_listing.page(10, 0).total == 1

    def test_a_restart_begins_none_and_the_next_opening_does(self, make_night: MakeNight) -> None:
        night = make_night(window=LUNCH)
        assert begin_if_due(night.database, night.settings) is not None
        night.cancel(1)
        night.clock.advance(60)
        again = make_night(window=LUNCH)
        again.housekeeping.tick()
        assert again.run_listing.page(10, 0).total == 1
        night.clock.advance(86_400 - 3600)
        again.housekeeping.tick()
        assert again.run_listing.page(10, 0).total == 2

    def test_a_coordinator_that_was_away_at_the_opening_begins_it_when_it_is_back(
        self, make_night: MakeNight
    ) -> None:
        make_night(window=LUNCH).clock.advance(59 * 60)
        night = make_night(window=LUNCH)
        night.housekeeping.tick()
        assert night.run_listing.page(10, 0).total == 1

    def test_a_missed_opening_is_left_out_where_that_is_the_policy(self, make_night: MakeNight) -> None:
        skip = LUNCH.model_copy(update={"missed": "skip"})
        make_night(window=skip).clock.advance(59 * 60)
        night = make_night(window=skip)
        night.housekeeping.tick()
        assert night.run_listing.page(10, 0).total == 0
        night.clock.advance(22 * 3600 + 120)
        night.housekeeping.tick()
        assert night.run_listing.page(10, 0).total == 1

    def test_of_two_coordinators_one_begins_it_though_the_run_has_ended_meanwhile(
        self, make_night: MakeNight
    ) -> None:
        first, second = make_night(window=LUNCH), make_night(window=LUNCH)
        request = RunRequest(config=GridConfig(**second.settings.grid_config()))

        def decides_late(tx: Transaction) -> bool:
            return is_due(second.settings, tx.now, newest_run(tx))

        assert begin_if_due(first.database, first.settings) is not None
        first.cancel(1)
        assert second.runs.begin(request, decides_late) is None
        assert begin_if_due(second.database, second.settings) is None
