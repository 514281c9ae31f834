"""What is known when a claim is decided: volumes, durations, memory, and who is alive."""

from __future__ import annotations

import pytest

from common.protocol.trainers import NoWork
from common.settings.sections import Deadline
from coordinator.policy.admission import Refusal
from tests.coordinator.specimens import (
    GIB,
    MakeNight,
    Night,
    spec_of,
)


def test_the_most_traded_symbol_goes_first_then_the_longest_job(night: Night) -> None:
    night.begin(symbols=("ADAUSDT", "DOGEUSDT"))
    boot = night.register()
    night.survey_all(boot)
    assert spec_of(night.grant(boot)).cell.name == "DOGEUSDT_15m_H1"


def test_the_deadline_grows_with_what_was_measured(make_night: MakeNight) -> None:
    night = make_night(deadline=Deadline(minimum_seconds=60, factor=10))
    boot = night.start()
    first = night.grant(boot, last_symbol="BTCUSDT")
    assert first.deadline_seconds == 60
    night.succeed(first)
    assert night.grant(boot, last_symbol="BTCUSDT").deadline_seconds == pytest.approx(100)


def test_peaks_that_were_measured_keep_a_job_off_a_small_trainer(night: Night) -> None:
    large = night.start(symbols=("BTCUSDT",), timeframes=("1h",))
    night.succeed(night.grant(large))
    small = night.register("small", limit=GIB // 2)
    refusal = night.claim(small)
    assert isinstance(refusal, Refusal) and refusal.reason is NoWork.TOO_LARGE
