from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta

import pytest

from common.protocol.jobs import Cause
from common.protocol.runs import RunState
from common.protocol.status import TrainerState
from common.settings.sections import Breaker, Lease, Window
from coordinator.views.jobs import Listing
from coordinator.views.status import Status
from tests.coordinator.specimens import NOON, MakeNight, Night, claim, failure, progress, renewal

Ask = Callable[[Night], Status]


def status(night: Night, troubles: tuple[str, ...] = ()) -> Status:
    return night.status(*troubles)


def waits(night: Night, job_id: int) -> str:
    return Listing(night.database, night.settings).detail(job_id).waits


# --- The document -------------------------------------------------------------------------------------------


def test_before_the_first_run_there_is_a_machine_and_nothing_else(night: Night) -> None:
    document = status(night).document()
    assert (
        document.run is None and document.best is None and document.trainers == () and document.warnings == ()
    )
    assert document.time == NOON and document.version == "1.2.3" and document.night.open
    assert 0 < document.system.memory_ratio < 1 and document.system.disk_total_bytes > 0
    assert document.system.cpu_count >= 1 and 0 <= document.system.cpu_ratio <= 1


def test_the_whole_night_stands_in_one_document(night: Night) -> None:
    night.begin(symbols=("BTCUSDT",))
    boot, other = night.register("t1"), night.register("t2")
    night.survey_all(boot)
    for auc in (0.55, 0.58, 0.53):
        grant = night.grant(boot)
        night.clock.advance(10)
        night.succeed(grant, auc=auc)
    last = night.grant(boot)
    night.queue.renew(last.lease_id, renewal(done=2))
    night.claim(other)
    document = status(night).document()
    assert document.run is not None and document.run.state is RunState.RUNNING
    assert (document.run.training.succeeded, document.run.training.leased) == (3, 1)
    assert document.best is not None and document.best.scores.auc == 0.58
    assert document.last is not None and document.last.scores.auc == 0.53
    assert document.speed.jobs_per_hour == pytest.approx(360)
    assert document.speed.rows_per_second == pytest.approx((2 * 35_000 + 17_520) / 30)
    working, idle = document.trainers
    assert (working.name, working.state, working.job_id) == ("t1", TrainerState.WORKING, last.job_id)
    assert (
        working.progress == progress(done=2) and working.job == "BTCUSDT_1h_H3" and working.jobs_finished == 4
    )
    assert (idle.state, idle.note, idle.job) == (TrainerState.IDLE, "no job is queued", "")
    assert document.recent_jobs[0].id == last.job_id
    assert document.eta.p50 is not None and document.eta.p90 is not None
    assert night.clock.now <= document.eta.p50 <= document.eta.p90


def test_a_run_that_ended_is_still_told_of(night: Night) -> None:
    run = night.begin()
    night.survey_all(night.register())
    night.finish_all("t1-boot")
    night.housekeeping.tick()
    document = status(night).document()
    assert document.run is not None and document.run.id == run and document.run.state is RunState.DONE
    assert document.run.promoted == 8 and document.eta.p50 is None and len(document.recent_jobs) == 10


def test_the_end_is_unknown_at_first_and_told_by_the_experience_of_earlier_nights(
    make_night: MakeNight,
) -> None:
    night = make_night()
    night.begin()
    night.survey_all(night.register())
    assert status(night).document().eta.p50 is None
    night.finish_all("t1-boot")
    night.housekeeping.tick()
    night.begin(horizons=(1, 3, 5))
    eta = status(night).document().eta
    # Two surveys and twelve cells of ten seconds each, on one trainer.
    assert eta.p50 == eta.p90 == night.clock.now + timedelta(seconds=140)


# --- Warnings -----------------------------------------------------------------------------------------------


def test_it_warns_of_synthetic_candles_pressure_and_parked_symbols(make_night: MakeNight) -> None:
    night = make_night(breaker=Breaker(failures=1, park_seconds=600))
    night.begin(symbols=("BTCUSDT",))
    boot = night.register()
    night.survey_all(boot, synthetic=True)
    night.queue.fail(night.grant(boot).lease_id, failure(Cause.DATA))
    night.claim(boot, free=0.05)
    synthetic, pressed, parked, trouble = status(night, ("leases: the disk is full",)).document().warnings
    assert synthetic == "run 1 trains on synthetic candles"
    assert pressed.startswith(
        "host host-a uses 95% of its memory, more than 85%, and not for Nighttrain's jobs"
    )
    assert parked == "BTCUSDT is parked, because cell after cell of it failed"
    assert trouble == "leases: the disk is full"


def test_it_warns_of_a_trainer_that_cannot_write_and_says_so_wherever_a_job_waits(night: Night) -> None:
    night.begin()
    boot = night.register()
    for _ in range(2):
        lease = night.grant(boot).lease_id
        night.clock.advance(1)
        night.queue.fail(lease, failure(Cause.STORAGE, "/cache/x: No space left on device (free some room)"))
        night.clock.advance(4)
    document = status(night).document()
    words = "trainer t1 cannot write since 12:00:01 UTC: /cache/x: No space left on device (free some room)"
    (trainer,) = document.trainers
    assert document.warnings == (words,)
    assert (trainer.note, trainer.blocked_since) == (words, NOON + timedelta(seconds=1))
    assert waits(night, 1) == "it waits 4 s before its next attempt"
    assert waits(night, 2) == words
    night.clock.advance(60)
    night.register()
    night.survey_all(boot)
    document = status(night).document()
    assert document.warnings == () and document.trainers[0].blocked_since is None


def test_a_trainer_that_falls_silent_with_a_job_is_lost_and_missed(night: Night) -> None:
    told = status(night)
    night.begin()
    assert told.document().warnings == (), "trainers take a moment to start"
    boot = night.register()
    night.register("idle")
    night.grant(boot)
    night.clock.advance(31)
    night.queue.expire()
    night.clock.advance(60)
    document = told.document()
    assert {one.name: one.state for one in document.trainers}["t1"] is TrainerState.LOST
    assert "no trainer is alive, so the run is not progressing" in document.warnings
    missed = [warning for warning in document.warnings if "fell silent" in warning]
    assert len(missed) == 1 and missed[0].startswith("trainer t1 fell silent 91 s ago while it held a job")
    night.clock.advance(3600)
    assert told.document().trainers == ()


@pytest.mark.parametrize(("closes", "words"), [(time(12, 1), "will not fit"), (time(12, 30), "")])
def test_it_warns_early_when_the_night_will_not_fit(make_night: MakeNight, closes: time, words: str) -> None:
    night = make_night(window=Window(start=time(11), end=closes), lease=Lease(seconds=600))
    night.begin()
    night.survey_all(night.register())
    night.finish_all("t1-boot")
    night.housekeeping.tick()
    night.begin(horizons=(1, 3, 5))
    warnings = status(night).document().warnings
    assert len(warnings) == bool(words)
    assert all(
        f"the run {words} into the night, which closes at 12:01 UTC" in warning for warning in warnings
    )


def test_a_closed_night_says_until_when(make_night: MakeNight) -> None:
    night = make_night(window=Window(start=time(22), end=time(7)))
    night.begin()
    night.register()
    document = status(night).document()
    assert document.night.opens == datetime(2026, 3, 2, 22, tzinfo=UTC)
    assert document.warnings == ("the night is closed until 2026-03-02 22:00 UTC; 8 cells wait",)


# --- Why a job waits ----------------------------------------------------------------------------------------


def test_every_waiting_job_says_why(make_night: MakeNight) -> None:
    night = make_night(breaker=Breaker(failures=1, park_seconds=600))
    night.begin()
    assert waits(night, 1) == "no trainer is alive"
    assert waits(night, 3) == "it waits for the survey of BTCUSDT"
    boot = night.register()
    night.survey_all(boot)
    assert waits(night, 3) == "it waits for a free trainer; 0 jobs are ahead of it"
    assert waits(night, 6) == "it waits for a free trainer; 5 jobs are ahead of it"
    grant = night.grant(boot)
    assert waits(night, grant.job_id) == ""
    night.queue.fail(grant.lease_id, failure())
    assert waits(night, grant.job_id).startswith("it waits ")
    assert waits(night, 4) == "BTCUSDT is parked, because cell after cell of it failed"
    night.queue.claim(claim(boot, free=0.01))
    assert "uses 99% of its memory" in waits(night, 7)
