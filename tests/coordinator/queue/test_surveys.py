"""What a survey opens, and what it refuses, on every backend."""

from __future__ import annotations

import pytest

from common.errors import (
    InvalidRequestError,
)
from common.protocol.jobs import Cause, JobKind, JobState
from tests.coordinator.specimens import (
    Night,
    checkpoint,
    digest,
    failure,
    finish,
    spec_of,
    survey_report,
)


def test_a_training_job_says_what_it_trains_on(night: Night) -> None:
    boot = night.start(timeframes=("15m",))
    spec = spec_of(night.grant(boot))
    assert spec.data_digests == {tf: digest(f"{spec.cell.symbol} {tf}") for tf in ("15m", "1h", "1d")}
    assert spec.n_splits == 5 and spec.Cs == night.settings.model.C and not spec.synthetic


def test_context_that_was_refused_is_left_out(night: Night) -> None:
    night.begin(timeframes=("15m",))
    boot = night.register()
    night.survey_all(boot, refused={"1d": "too short"})
    assert set(spec_of(night.grant(boot)).data_digests) == {"15m", "1h"}


def test_a_survey_must_be_of_its_symbol(night: Night) -> None:
    night.begin()
    grant = night.grant(night.register())
    with pytest.raises(InvalidRequestError, match="a report about DOGEUSDT"):
        night.queue.finish(grant.lease_id, finish(survey_report(grant.spec, symbol="DOGEUSDT")))
    with pytest.raises(InvalidRequestError, match="no folds"):
        night.queue.save_checkpoint(grant.lease_id, checkpoint())


def test_refused_candles_fail_their_cells_at_once_with_the_reason(night: Night) -> None:
    night.begin()
    night.survey_all(night.register(), refused={"15m": "BTCUSDT 15m: 31 % of the bars are missing"})
    failed = night.jobs(state=JobState.FAILED)
    assert {(job.timeframe, job.cause) for job in failed} == {("15m", Cause.DATA)} and len(failed) == 4
    assert failed[0].message == "BTCUSDT 15m: 31 % of the bars are missing" and failed[0].attempts == 0
    assert all(job.rows == 17_520 for job in night.jobs(timeframe="1h"))


def test_a_survey_that_fails_for_good_fails_its_cells_and_no_others(night: Night) -> None:
    night.begin()
    boot = night.register()
    grant = night.grant(boot)
    night.queue.fail(grant.lease_id, failure(Cause.DATA, "no candles of BTCUSDT in data/candles"))
    failed = night.jobs(state=JobState.FAILED, kind=JobKind.TRAINING)
    assert {job.symbol for job in failed} == {"BTCUSDT"} and len(failed) == 4
    assert failed[0].message == "the survey of BTCUSDT failed: no candles of BTCUSDT in data/candles"
    assert all(job.cause is Cause.DATA for job in failed)


def test_a_survey_that_fails_once_is_tried_again(night: Night) -> None:
    night.begin(symbols=("BTCUSDT",))
    boot = night.register()
    night.queue.fail(night.grant(boot).lease_id, failure())
    assert not night.jobs(state=JobState.FAILED)
    night.clock.advance(2)
    assert night.grant(boot).attempt == 2
