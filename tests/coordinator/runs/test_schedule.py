from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.protocol.runs import RunState
from common.settings.night import NightSettings
from common.settings.sections import Window
from coordinator.policy.window import last_opening, next_opening, night_at
from coordinator.runs.schedule import begin_if_due, is_due
from coordinator.store.rows import RunRow
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
