"""Sentences for the operator."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from common.protocol.jobs import Cause
from common.protocol.status import TrainerState
from common.settings.sections import Breaker, Lease, Window
from tests.coordinator.specimens import NOON, MakeNight, Night, failure


def test_it_warns_of_synthetic_candles_pressure_and_parked_symbols(make_night: MakeNight) -> None:
    night = make_night(breaker=Breaker(failures=1, park_seconds=600))
    night.begin(symbols=("BTCUSDT",))
    boot = night.register()
    night.survey_all(boot, synthetic=True)
    night.queue.fail(night.grant(boot).lease_id, failure(Cause.DATA))
    night.claim(boot, free=0.05)
    synthetic, pressed, parked, trouble = night.status("leases: the disk is full").document().warnings
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
    document = night.status().document()
    words = "trainer t1 cannot write since 12:00:01 UTC: /cache/x: No space left on device (free some room)"
    (trainer,) = document.trainers
    assert document.warnings == (words,)
    assert (trainer.note, trainer.blocked_since) == (words, NOON + timedelta(seconds=1))
    assert night.waits(1) == "it waits 4 s before its next attempt"
    assert night.waits(2) == words
    night.clock.advance(60)
    night.register()
    night.survey_all(boot)
    document = night.status().document()
    assert document.warnings == () and document.trainers[0].blocked_since is None


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
    assert "no trainer is alive, so the run is not progressing" in document.warnings
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
    assert len(warnings) == bool(words)
    assert all(
        f"the run {words} into the night, which closes at 12:01 UTC" in warning for warning in warnings
    )


def test_a_closed_night_says_until_when(make_night: MakeNight) -> None:
    night = make_night(window=Window(start=time(22), end=time(7)))
    night.begin()
    night.register()
    document = night.status().document()
    assert document.night.opens == datetime(2026, 3, 2, 22, tzinfo=UTC)
    assert document.warnings == ("the night is closed until 2026-03-02 22:00 UTC; 8 cells wait",)
