"""Sentences for the operator."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from common.protocol.jobs import Cause
from common.protocol.status import TrainerState
from common.settings.sections import Breaker, Lease, Retry, Window
from tests.coordinator.specimens import FULL_DISK, NOON, MakeNight, Night, disk, failure, renewal


def test_it_warns_of_synthetic_candles_pressure_and_parked_symbols(make_night: MakeNight) -> None:
    night = make_night(breaker=Breaker(failures=1, park_seconds=600), retry=Retry(error=1))
    night.begin(symbols=("BTCUSDT",))
    boot = night.register()
    night.survey_all(boot, synthetic=True)
    night.queue.fail(night.grant(boot).lease_id, failure(Cause.ERROR))
    night.claim(boot, free=0.05)
    synthetic, pressed, parked, trouble = night.status("leases: the disk is full").document().warnings
    assert synthetic == "night 1 trains on synthetic candles"
    assert pressed.startswith(
        "host host-a uses 95% of its memory, more than 85%, and not for Nighttrain's jobs"
    )
    assert parked == "BTCUSDT is parked, because cell after cell of it failed"
    assert trouble == "leases: the disk is full"


def test_it_warns_of_a_trainer_that_cannot_write_and_says_so_wherever_a_job_waits(night: Night) -> None:
    night.begin()
    boot = night.register()
    night.clock.advance(1)
    night.claim(boot, disk=FULL_DISK)
    night.clock.advance(5)
    night.claim(boot, disk=FULL_DISK)
    document = night.status().document()
    words = (
        "trainer t1 cannot write since 12:00:01 UTC: /cache cannot be written: No space left on device;"
        " free some room or fix the folder"
    )
    (trainer,) = document.trainers
    assert document.warnings == (words,)
    assert (trainer.note, trainer.blocked_since) == (words, NOON + timedelta(seconds=1))
    assert night.waits(1) == night.waits(2) == words
    grant = night.grant(boot, disk=disk())
    document = night.status().document()
    assert document.warnings == () and document.trainers[0].blocked_since is None
    assert night.waits(2) == "it waits for a free trainer and is the next"
    night.queue.fail(grant.lease_id, failure(Cause.STORAGE, "/cache/x: No space left on device"))
    document = night.status().document()
    words = "trainer t1 cannot write since 12:00:06 UTC: /cache/x: No space left on device"
    assert document.warnings == (words,) and document.trainers[0].note == words


def test_an_attempt_that_goes_on_shows_that_its_trainer_can_write_again(night: Night) -> None:
    night.begin()
    boot = night.register()
    night.queue.fail(night.grant(boot, disk=disk()).lease_id, failure(Cause.STORAGE, "/cache/x: full"))
    night.clock.advance(5)
    lease = night.grant(boot, disk=disk()).lease_id
    for _ in range(7):
        (warning,) = night.status().document().warnings
        assert warning == "trainer t1 cannot write since 12:00:00 UTC: /cache/x: full"
        night.queue.renew(lease, renewal())
        night.clock.advance(10)
    night.queue.renew(lease, renewal())
    (trainer,) = night.status().document().trainers
    assert (trainer.blocked_since, trainer.note) == (None, "")


def test_a_job_that_no_disk_has_room_for_says_how_much_it_needs(night: Night) -> None:
    night.begin(symbols=("BTCUSDT",), timeframes=("15m",), horizons=(1,))
    boot = night.register()
    night.survey_all(boot)
    night.claim(boot, disk=disk(3 * 1024**2))
    words = "7.7 MiB are needed in /cache, which has 3.0 MiB left: free some room"
    assert night.waits(2) == f"trainer t1 has had too little room since 12:00:00 UTC: {words}"
    night.register("t2")
    assert night.waits(2) == "it waits for a free trainer and is the next"


def test_a_trainer_that_falls_silent_with_a_job_is_lost_and_missed(night: Night) -> None:
    status = night.status()
    night.begin()
    assert status.document().warnings == (), "trainers take a moment to start"
    boot = night.register()
    night.register("idle")
    night.grant(boot)
    night.clock.advance(31)
    night.queue.expire()
    night.clock.advance(60)
    document = status.document()
    assert {one.name: one.state for one in document.trainers}["t1"] is TrainerState.LOST
    assert "no trainer is alive, so the night is not progressing" in document.warnings
    missed = [warning for warning in document.warnings if "fell silent" in warning]
    assert len(missed) == 1 and missed[0].startswith("trainer t1 fell silent 91 s ago while it held a job")
    night.clock.advance(3600)
    assert status.document().trainers == ()


@pytest.mark.parametrize(("closes", "words"), [(time(12, 1), "will not fit"), (time(12, 30), "")])
def test_it_warns_early_when_the_night_will_not_fit(make_night: MakeNight, closes: time, words: str) -> None:
    night = make_night(window=Window(start=time(11), end=closes), lease=Lease(seconds=600))
    night.begin()
    night.survey_all(night.register())
    night.finish_all("t1-boot")
    night.housekeeping.tick()
    night.begin(horizons=(1, 3, 5))
    warnings = night.status().document().warnings
    assert len(warnings) == 2 * bool(words)
    if words:
        late, left = warnings
        assert f"the night {words} into its window, which closes at 12:01 UTC" in late
        assert "cells do not fit before the window closes and are left for the next night" in left


def test_a_closed_night_says_until_when(make_night: MakeNight) -> None:
    night = make_night(window=Window(start=time(22), end=time(7)))
    night.begin()
    night.register()
    document = night.status().document()
    assert document.night.opens == datetime(2026, 3, 2, 22, tzinfo=UTC)
    assert document.warnings == ("the night is closed until 2026-03-02 22:00 UTC; 8 cells wait",)


def test_a_trainer_whose_candles_are_away_waits_for_them_and_is_not_said_to_be_unable_to_write(
    night: Night,
) -> None:
    night.begin()
    boot = night.register()
    why = "s3://candles/spot: cannot be reached (check its endpoint and the network)"
    night.queue.fail(night.grant(boot, disk=disk()).lease_id, failure(Cause.STORAGE, why))
    words = f"trainer t1 waits for candles since 12:00:00 UTC: {why}"
    document = night.status().document()
    assert document.warnings == (words,) and document.trainers[0].note == words
