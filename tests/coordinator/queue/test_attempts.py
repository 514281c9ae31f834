"""How an attempt ends, and what becomes of its job, on every backend."""

from __future__ import annotations

import pytest

from common.errors import (
    StaleLeaseError,
)
from common.protocol.jobs import Cause, JobState
from common.protocol.trainers import NoWork
from common.settings.sections import Retry
from coordinator.policy.admission import Refusal
from tests.coordinator.specimens import (
    GIB,
    MakeNight,
    Night,
    failure,
    finish,
    release,
)


def test_a_failed_job_is_tried_again_until_the_budget_of_its_cause_is_spent(night: Night) -> None:
    boot = night.start(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,))
    for attempt in (1, 2):
        grant = night.grant(boot)
        assert grant.attempt == attempt
        answer = night.queue.fail(grant.lease_id, failure(message=f"no {attempt}"))
        assert answer.state == JobState.QUEUED
        assert answer.retry_in_seconds is not None and 0 <= answer.retry_in_seconds <= 2.0**attempt
        night.clock.advance(answer.retry_in_seconds)
    grant = night.grant(boot)
    answer = night.queue.fail(grant.lease_id, failure(message="no 3"))
    assert (answer.state, answer.retry_in_seconds) == (JobState.FAILED, None)
    job = night.detail(grant.job_id)
    assert (job.state, job.cause, job.message) == (JobState.FAILED, Cause.ERROR, "no 3")
    assert [one.message for one in job.history] == ["no 1", "no 2", "no 3"]
    assert job.history[0].evidence == "the last lines of its log" and job.history[0].peak_memory_bytes == GIB


def test_each_cause_has_a_budget_of_its_own(make_night: MakeNight) -> None:
    night = make_night(retry=Retry(error=2, crash=2, timeout=2, oom=2, backoff_base=0.001))
    boot = night.start(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,))
    for cause in (Cause.ERROR, Cause.CRASH, Cause.TIMEOUT, Cause.OOM):
        grant = night.grant(boot)
        assert night.queue.fail(grant.lease_id, failure(cause)).state == JobState.QUEUED
        night.clock.advance(1)
    grant = night.grant(boot)
    assert night.queue.fail(grant.lease_id, failure(Cause.TIMEOUT)).state == JobState.FAILED


def test_a_data_error_is_final_at_once(night: Night) -> None:
    boot = night.start()
    grant = night.grant(boot)
    assert night.queue.fail(grant.lease_id, failure(Cause.DATA, "one class only")).state == JobState.FAILED
    assert night.detail(grant.job_id).message == "one class only"


@pytest.mark.parametrize("cause", [Cause.STOPPED, Cause.NIGHT_CLOSED])
def test_a_clean_stop_is_free_as_often_as_it_comes(night: Night, cause: Cause) -> None:
    boot = night.start(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,))
    for _ in range(5):
        night.queue.release(night.grant(boot).lease_id, release(cause))
    job = night.detail(night.grant(boot).job_id)
    assert job.attempts == 6 and not any(one.charged for one in job.history[:5])


def test_a_job_waits_out_its_backoff(make_night: MakeNight) -> None:
    night = make_night(retry=Retry(backoff_base=100))
    boot = night.start(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,))
    grant = night.grant(boot)
    wait = night.queue.fail(grant.lease_id, failure()).retry_in_seconds
    assert wait is not None
    night.clock.advance(wait - 0.001)
    refusal = night.claim(boot)
    assert isinstance(refusal, Refusal) and refusal.reason is NoWork.WAITING
    assert "before its next attempt" in night.detail(grant.job_id).waits
    night.clock.advance(0.002)
    assert night.grant(boot).job_id == grant.job_id


def test_an_answer_to_an_end_that_was_lost_is_given_again(night: Night) -> None:
    boot = night.start()
    failed = night.grant(boot)
    answer = night.queue.fail(failed.lease_id, failure())
    assert night.queue.fail(failed.lease_id, failure()) == answer
    given = night.grant(boot)
    night.queue.release(given.lease_id, release())
    night.queue.release(given.lease_id, release())
    done = night.grant(boot)
    report = night.succeed(done)
    night.queue.finish(done.lease_id, finish(report, report.manifest.pickle_sha256))
    for lease in (failed, given, done):
        assert len(night.detail(lease.job_id).history) <= 2
    with pytest.raises(StaleLeaseError):
        night.queue.fail(done.lease_id, failure())
    with pytest.raises(StaleLeaseError):
        night.queue.fail(failed.lease_id, failure(Cause.CRASH))
    with pytest.raises(StaleLeaseError):
        night.queue.release(failed.lease_id, release())
    with pytest.raises(StaleLeaseError):
        night.queue.finish(given.lease_id, finish(report, report.manifest.pickle_sha256))
