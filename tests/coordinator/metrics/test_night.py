"""What the metrics report of the run, its window, its queue and its trainers."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from sqlalchemy import update

from common.protocol.jobs import Cause, TrainingSpec
from common.protocol.steering import Order, PauseOrder
from common.settings.sections import Breaker, Retry, Window
from coordinator.housekeeping.duty import Turn
from coordinator.housekeeping.heartbeat import Heartbeat
from coordinator.queue.checkpoints import save_checkpoint
from coordinator.runs.steering import Steering
from coordinator.store.seats import PRESENT, Seat
from coordinator.store.tables import checkpoints, leadership
from tests.coordinator.metrics.scraped import CELL, ONE_CELL, ended, scraped, surveyed
from tests.coordinator.specimens import (
    FULL_DISK,
    HERE,
    NOON,
    MakeNight,
    Night,
    checkpoint,
    disk,
    failure,
    release,
    renewal,
)


class TestTheRun:
    def test_before_the_first_one_there_are_counts_and_no_run(self, night: Night) -> None:
        scrape = scraped(night)
        assert scrape("claims_total") == 0
        assert scrape("attempts_total", outcome="expired") == 0
        assert scrape("trainers", state="lost") == 0
        assert not {name for name in scrape.names() if name.startswith(("run_", "cell_", "queue_"))}

    def test_its_progress_counts_saved_folds_of_jobs_that_are_not_over(self, night: Night) -> None:
        boot = surveyed(night, horizons=(1, 3))
        assert scraped(night)("run_progress_ratio") == 0
        grant = night.grant(boot)
        night.queue.save_checkpoint(grant.lease_id, checkpoint(3))
        assert scraped(night)("run_progress_ratio") == pytest.approx(0.5 * 3 / 5)
        assert night.run_listing.view(1).progress_ratio == scraped(night)("run_progress_ratio")
        night.succeed(grant)
        assert scraped(night)("run_progress_ratio") == 0.5
        assert night.run_listing.view(1).progress_ratio == 0.5

    def test_the_folds_of_a_job_that_has_failed_count_no_second_time(self, make_night: MakeNight) -> None:
        night = make_night(retry=Retry(error=1))
        boot = surveyed(night, horizons=(1, 3))
        grant = night.grant(boot)
        night.queue.save_checkpoint(grant.lease_id, checkpoint(3))
        night.queue.fail(grant.lease_id, failure(Cause.ERROR))
        assert night.run_listing.view(1).progress_ratio == scraped(night)("run_progress_ratio") == 0.5

    def test_more_folds_than_the_run_has_are_no_more_than_the_whole_job(self, night: Night) -> None:
        boot = surveyed(night, horizons=(1, 3))
        grant = night.grant(boot)
        with night.database.write() as tx:
            # Nobody is believed who says so; an earlier version was not as strict.
            save_checkpoint(tx, grant.job_id, checkpoint(5))
            tx.connection.execute(update(checkpoints).values(folds=9))
        assert night.run_listing.view(1).progress_ratio == scraped(night)("run_progress_ratio") == 0.5

    def test_its_end_is_estimated_while_it_is_going(self, night: Night) -> None:
        ended(night)
        assert scraped(night)("run_eta_timestamp_seconds", percentile="90") is None
        assert scraped(night)("run_finished_timestamp_seconds") == NOON.timestamp()
        surveyed(night)
        scrape = scraped(night)
        assert (scrape("run_eta_timestamp_seconds", percentile="90") or 0) > NOON.timestamp()
        assert scrape("run_finished_timestamp_seconds") is None

    def test_a_pause_is_reported_and_no_end_is_estimated_meanwhile(self, night: Night) -> None:
        ended(night)
        surveyed(night)
        assert scraped(night)("run_paused") == 0
        steering = Steering(night.database)
        steering.pause(2, PauseOrder(), HERE)
        assert scraped(night)("run_paused") == 1
        assert scraped(night)("run_eta_timestamp_seconds", percentile="90") is None
        steering.resume(2, Order(), HERE)
        assert scraped(night)("run_paused") == 0
        steering.pause(2, PauseOrder(), HERE)
        night.cancel(2)
        assert scraped(night)("run_paused") == 0

    def test_failures_are_reported_by_symbol_and_cause(self, make_night: MakeNight) -> None:
        night = make_night(retry=Retry(error=1))
        boot = surveyed(night, symbols=("BTCUSDT", "ETHUSDT"))
        failed = night.grant(boot)
        assert isinstance(failed.spec, TrainingSpec)
        night.queue.fail(failed.lease_id, failure(Cause.ERROR))
        scrape = scraped(night)
        for symbol in ("BTCUSDT", "ETHUSDT"):
            count = scrape("run_failed_jobs", symbol=symbol, cause="error")
            assert count == (symbol == failed.spec.cell.symbol)
        assert scrape("attempt_failures_total", cause="error") == 1
        assert scrape("run_jobs", kind="training", state="failed") == 1

    def test_another_run_begins_its_counts_anew(self, night: Night) -> None:
        ended(night)
        assert scraped(night)("claims_total") == 2
        night.begin(**ONE_CELL)
        scrape = scraped(night)
        assert (scrape("claims_total"), scrape("attempts_total", outcome="succeeded")) == (0, 0)
        assert scrape("last_claim_timestamp_seconds") == NOON.timestamp()


class TestTheWindow:
    def test_openings_are_reported_as_long_as_there_is_a_schedule(self, make_night: MakeNight) -> None:
        window = Window(start=time(11), end=time(13))
        scrape = scraped(make_night(window=window))
        hour = timedelta(hours=1)
        assert scrape("night_open") == 1
        assert scrape("night_deadline_timestamp_seconds") == (NOON + hour).timestamp()
        assert scrape("night_last_opening_timestamp_seconds") == (NOON - hour).timestamp()
        assert scrape("night_next_opening_timestamp_seconds") == (NOON + 23 * hour).timestamp()
        for changes in ({"window": window, "training": False}, {}):
            names = scraped(make_night(**changes)).names()
            assert (
                not {"night_last_opening_timestamp_seconds", "night_next_opening_timestamp_seconds"} & names
            )

    def test_a_closed_night_has_no_deadline(self, make_night: MakeNight) -> None:
        scrape = scraped(make_night(window=Window(start=time(22), end=time(6))))
        assert scrape("night_open") == 0
        assert scrape("night_deadline_timestamp_seconds") is None
        assert scrape("night_last_opening_timestamp_seconds") == (NOON - timedelta(hours=14)).timestamp()


class TestTheQueue:
    def test_waits_grow_from_the_survey_on(self, night: Night) -> None:
        night.begin(**ONE_CELL)
        night.clock.advance(10)
        scrape = scraped(night)
        assert (
            scrape("queue_jobs", symbol="BTCUSDT"),
            scrape("queue_oldest_wait_seconds", symbol="BTCUSDT"),
        ) == (2, 10)
        boot = night.register()
        night.survey_all(boot)
        night.clock.advance(7)
        scrape = scraped(night)
        assert (
            scrape("queue_jobs", symbol="BTCUSDT"),
            scrape("queue_oldest_wait_seconds", symbol="BTCUSDT"),
        ) == (1, 7)

    def test_a_backoff_is_no_wait(self, night: Night) -> None:
        boot = surveyed(night)
        night.clock.advance(100)
        night.queue.fail(night.grant(boot).lease_id, failure())
        assert scraped(night)("queue_oldest_wait_seconds", symbol="BTCUSDT") == 0

    def test_a_parked_symbol_says_so(self, make_night: MakeNight) -> None:
        night = make_night(breaker=Breaker(failures=1, park_seconds=60))
        boot = surveyed(night)
        assert scraped(night)("breaker_state", symbol="BTCUSDT", state="closed") == 1
        night.queue.fail(night.grant(boot).lease_id, failure())
        assert scraped(night)("breaker_state", symbol="BTCUSDT", state="parked") == 1
        night.clock.advance(61)
        scrape = scraped(night)
        assert scrape("breaker_state", symbol="BTCUSDT", state="probation") == 1
        assert scrape("breaker_state", symbol="BTCUSDT", state="parked") == 0


class TestTheRunningJob:
    def test_says_since_when_and_how_long_it_should_take(self, night: Night) -> None:
        ended(night)
        boot = surveyed(night)
        assert scraped(night)("running_job_started_timestamp_seconds", **CELL) is None
        night.grant(boot)
        night.clock.advance(5)
        scrape = scraped(night)
        assert scrape("running_job_started_timestamp_seconds", **CELL) == NOON.timestamp()
        assert scrape("running_job_expected_seconds", **CELL) == pytest.approx(10.0)

    def test_its_progress_is_safe_from_its_last_checkpoint_or_its_start_on(self, night: Night) -> None:
        boot = surveyed(night)
        assert scraped(night)("checkpoint_timestamp_seconds", kind="job") is None
        grant = night.grant(boot)
        night.clock.advance(20)
        assert scraped(night)("checkpoint_timestamp_seconds", kind="job") == NOON.timestamp()
        night.queue.save_checkpoint(grant.lease_id, checkpoint(1))
        saved = night.clock.now.timestamp()
        night.clock.advance(5)
        assert scraped(night)("checkpoint_timestamp_seconds", kind="job") == saved
        # A day later another attempt goes on from these folds: nothing of it is in danger yet.
        night.clock.advance(31)
        night.queue.expire()
        night.clock.advance(86_400)
        night.grant(boot)
        assert scraped(night)("checkpoint_timestamp_seconds", kind="job") == night.clock.now.timestamp()

    def test_the_nights_file_is_reported_while_a_run_is_going(self, night: Night) -> None:
        assert scraped(night)("checkpoint_timestamp_seconds", kind="night") is None
        boot = surveyed(night)
        assert scraped(night)("checkpoint_timestamp_seconds", kind="night") == NOON.timestamp()
        night.housekeeping.tick()
        written = (night.out / "logs" / "night_training_checkpoint.json").stat().st_mtime
        assert scraped(night)("checkpoint_timestamp_seconds", kind="night") == pytest.approx(
            max(written, NOON.timestamp()), abs=0.001
        )
        night.finish_all(boot)
        night.housekeeping.tick()
        assert scraped(night)("checkpoint_timestamp_seconds", kind="night") is None


class TestTrainers:
    def test_a_lost_one_stays_for_an_hour_and_a_stopped_one_does_not(self, night: Night) -> None:
        boot = surveyed(night)
        night.register("t2")
        grant = night.grant(boot)
        night.clock.advance(20)
        night.queue.renew(grant.lease_id, renewal())
        heard = night.clock.now.timestamp()
        scrape = scraped(night)
        assert (scrape("trainers", state="working"), scrape("trainers", state="idle")) == (1, 1)
        assert scrape("trainer_last_seen_timestamp_seconds", trainer="t1") == heard
        night.clock.advance(31)
        night.queue.expire()
        scrape = scraped(night)
        assert (scrape("trainers", state="lost"), scrape("trainers", state="idle")) == (1, 0)
        assert scrape("trainer_last_seen_timestamp_seconds", trainer="t1") == heard
        assert scrape("trainer_last_seen_timestamp_seconds", trainer="t2") is None
        night.clock.advance(3600)
        assert scraped(night)("trainers", state="lost") == 0

    def test_each_start_under_a_name_counts(self, night: Night) -> None:
        for number in range(3):
            night.register("t1", f"boot-{number}")
        assert scraped(night)("trainer_starts_total", trainer="t1") == 3

    def test_what_comes_back_after_a_clean_stop_has_not_crashed(self, night: Night) -> None:
        boot = surveyed(night)
        for number in range(6):
            night.queue.release(night.grant(boot).lease_id, release())
            boot = night.register("t1", f"boot-again-{number}")
        scrape = scraped(night)
        assert (scrape("trainer_starts_total", trainer="t1"), scrape("trainer_crashes", trainer="t1")) == (
            7,
            0,
        )

    def test_what_held_a_job_or_was_gone_in_seconds_has_crashed_for_a_while(self, night: Night) -> None:
        boot = surveyed(night)
        night.grant(boot)
        night.register("t1", "boot-2")
        night.clock.advance(5)
        night.register("t1", "boot-3")
        assert scraped(night)("trainer_crashes", trainer="t1") == 2
        night.clock.advance(901)
        night.grant("boot-3")
        assert scraped(night)("trainer_crashes", trainer="t1") == 0

    def test_an_idle_one_that_was_there_for_a_while_was_stopped_on_purpose(self, night: Night) -> None:
        night.register("t1", "boot-1")
        night.clock.advance(40)
        night.claim("boot-1")
        night.register("t1", "boot-2")
        assert scraped(night)("trainer_crashes", trainer="t1") == 0

    def test_a_coordinator_that_was_asked_to_stop_has_not_crashed(self, night: Night) -> None:
        for crashed in (False, True, False, True, True):
            process = Heartbeat(night.database)
            process.start()
            if not crashed:
                process.stop()
            night.clock.advance(1)
        Heartbeat(night.database).start()
        assert scraped(night)("coordinator_crashes") == 3
        night.clock.advance(901)
        assert scraped(night)("coordinator_crashes") == 0

    def test_coordinators_side_by_side_have_not_crashed_until_one_falls_silent(self, night: Night) -> None:
        first, second = (Heartbeat(night.database, Seat("folder", name, "/night")) for name in "ab")
        first.start()
        second.start()
        assert scraped(night)("coordinator_crashes") == 0
        night.clock.advance(PRESENT.total_seconds() + 1)
        second.run(Turn(night.clock()))
        assert scraped(night)("coordinator_crashes") == 1

    def test_a_coordinator_that_falls_silent_is_lost_until_another_is_in_its_place(
        self, night: Night
    ) -> None:
        def counted() -> tuple[float | None, float | None]:
            scrape = scraped(night)
            return scrape("coordinators", state="present"), scrape("coordinators", state="lost")

        first, second, third = (Heartbeat(night.database, Seat("folder", name, "/night")) for name in "abc")
        first.start()
        second.start()
        assert counted() == (2, 0)
        night.clock.advance(PRESENT.total_seconds() + 1)
        second.run(Turn(night.clock()))
        assert counted() == (1, 1)
        # Who was there before is in nobody's place, started again or not.
        Heartbeat(night.database, Seat("folder", "b", "/night")).start()
        assert counted() == (1, 1)
        night.clock.advance(1)
        third.start()
        assert counted() == (2, 0)
        third.stop()
        assert counted() == (1, 1)
        night.clock.advance(3600)
        second.run(Turn(night.clock()))
        assert counted() == (1, 0)

    def test_the_takings_of_the_lead_are_those_of_the_database(self, night: Night) -> None:
        assert scraped(night)("leaders_total") == 0
        with night.database.write() as tx:
            tx.connection.execute(update(leadership).values(term=7))
        assert scraped(night)("leaders_total") == 7

    def test_one_that_cannot_write_says_so_until_it_can(self, night: Night) -> None:
        boot = surveyed(night)
        night.register("t2")
        night.queue.fail(night.grant(boot).lease_id, failure(Cause.STORAGE))
        scrape = scraped(night)
        assert (scrape("trainer_blocked", trainer="t1"), scrape("trainer_blocked", trainer="t2")) == (1, 0)
        night.clock.advance(5)
        grant = night.grant(boot)
        assert scraped(night)("trainer_blocked", trainer="t1") == 1
        night.succeed(grant)
        assert scraped(night)("trainer_blocked", trainer="t1") == 0

    def test_one_whose_disk_is_full_when_it_asks_says_so_too(self, night: Night) -> None:
        boot = surveyed(night)
        night.claim(boot, disk=FULL_DISK)
        assert scraped(night)("trainer_blocked", trainer="t1") == 1
        night.grant(boot, disk=disk())
        assert scraped(night)("trainer_blocked", trainer="t1") == 0

    def test_of_a_lost_one_nobody_knows_whether_it_can_write(self, night: Night) -> None:
        night.grant(surveyed(night))
        night.clock.advance(60)
        night.queue.expire()
        scrape = scraped(night)
        assert scrape("trainers", state="lost") == 1
        assert scrape("trainer_blocked", trainer="t1") is None
