"""Who holds a lease, and who lost it, on every backend."""

from __future__ import annotations

import time as time_module
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta

import pytest
from sqlalchemy import text

from common.errors import (
    ConflictError,
    StaleLeaseError,
)
from common.protocol.job_views import Outcome
from common.protocol.jobs import Cause, JobState
from common.protocol.trainers import Directive, NoWork
from common.settings.sections import Lease, Window
from coordinator.policy.admission import Refusal
from coordinator.queue.leases import attempt_of
from coordinator.queue.pauses import pause_trainer
from tests.coordinator.specimens import (
    GIB,
    MakeNight,
    Night,
    checkpoint,
    failure,
    finish,
    hello,
    progress,
    release,
    renewal,
    spec_of,
    training_report,
)


def test_a_renewal_keeps_the_lease_and_tells_the_progress(night: Night) -> None:
    boot = night.start()
    grant = night.grant(boot)
    for _ in range(5):
        night.clock.advance(25)
        answer = night.queue.renew(grant.lease_id, renewal(done=3))
        assert answer.directive is Directive.CONTINUE and answer.expires_in_seconds == 30
        assert night.queue.expire() == 0
    [job] = night.jobs(state=JobState.LEASED)
    assert job.progress == progress(done=3) and job.trainer == "t1"


def test_silence_ends_the_lease_as_a_crash(night: Night) -> None:
    boot = night.start()
    grant = night.grant(boot)
    night.queue.renew(grant.lease_id, renewal())
    night.clock.advance(30)
    assert night.queue.expire() == 0
    night.clock.advance(1)
    assert night.queue.expire() == 1
    [attempt] = night.detail(grant.job_id).history
    assert (attempt.outcome, attempt.cause, attempt.charged) == (Outcome.EXPIRED, Cause.CRASH, True)
    assert attempt.message == "trainer t1 was silent for 31 s"
    assert attempt.peak_memory_bytes == GIB // 2 and "crossval 1/5" in attempt.evidence


def test_a_lease_past_its_time_is_held_until_it_is_taken_back(night: Night) -> None:
    boot = night.start()
    grant = night.grant(boot)
    night.clock.advance(300)
    night.succeed(grant)
    assert night.detail(grant.job_id).state is JobState.SUCCEEDED


def test_a_restart_of_the_trainer_gives_its_lease_up_at_once(night: Night) -> None:
    night.start()
    grant = night.grant("t1-boot")
    assert night.queue.register(hello(boot="t1-second")).lost_leases == 1
    [attempt] = night.detail(grant.job_id).history
    assert attempt.cause is Cause.CRASH and "restarted while it held" in attempt.message
    with pytest.raises(StaleLeaseError):
        night.queue.renew(grant.lease_id, renewal())
    with pytest.raises(ConflictError, match="another process has registered as trainer t1"):
        night.claim("t1-boot")
    with pytest.raises(ConflictError):
        night.queue.register(hello(boot="t1-boot"))


def test_registering_twice_alike_loses_nothing(night: Night) -> None:
    boot = night.start()
    grant = night.grant(boot)
    assert night.queue.register(hello()).lost_leases == 0
    night.succeed(grant)


def test_a_process_that_comes_again_under_anothers_name_takes_it_over(night: Night) -> None:
    boot = night.start()
    grant = night.grant(boot)
    night.register("t2")
    assert night.queue.register(hello("t1", "t2-boot")).lost_leases == 1
    assert night.detail(grant.job_id).history[-1].outcome is Outcome.EXPIRED
    with pytest.raises(ConflictError, match="another process has registered as trainer t1"):
        night.claim(boot)


def test_a_restart_of_the_coordinator_is_free(make_night: MakeNight) -> None:
    night = make_night()
    boot = night.start()
    grant = night.grant(boot)
    night.clock.advance(500)
    again = make_night()
    assert again.queue.extend() == 1
    assert again.queue.expire() == 0
    again.clock.advance(29)
    again.succeed(grant)
    assert again.detail(grant.job_id).attempts == 1


def test_every_write_of_a_stale_lease_is_refused_and_changes_nothing(night: Night) -> None:
    boot = night.start()
    grant = night.grant(boot)
    night.clock.advance(31)
    night.queue.expire()
    before = night.detail(grant.job_id)
    report, content = training_report(spec_of(grant))
    sha256 = report.manifest.pickle_sha256
    for write in (
        lambda lease: night.queue.renew(lease, renewal()),
        lambda lease: night.queue.save_checkpoint(lease, checkpoint()),
        lambda lease: night.queue.assert_held(lease),
        lambda lease: night.queue.attach_artifact(lease, sha256, len(content)),
        lambda lease: night.queue.finish(lease, finish(report, sha256)),
        lambda lease: night.queue.fail(lease, failure()),
        lambda lease: night.queue.release(lease, release()),
    ):
        with pytest.raises(StaleLeaseError, match=r"no longer held: expired \(crash\)"):
            write(grant.lease_id)
        with pytest.raises(StaleLeaseError, match="there is no lease"):
            write("never-was")
    assert night.detail(grant.job_id) == before


def test_when_the_night_closes_jobs_are_given_back_and_carried_over(make_night: MakeNight) -> None:
    night = make_night(window=Window(start=time(11), end=time(13)), lease=Lease(seconds=7200))
    boot = night.start()
    grant = night.grant(boot)
    night.clock.now = datetime(2026, 3, 2, 13, tzinfo=UTC)
    assert night.queue.renew(grant.lease_id, renewal()).directive is Directive.RELEASE
    night.queue.save_checkpoint(grant.lease_id, checkpoint(2))
    night.queue.release(grant.lease_id, release(Cause.NIGHT_CLOSED))
    refusal = night.claim(boot)
    assert isinstance(refusal, Refusal) and refusal.reason is NoWork.NIGHT_CLOSED
    assert night.detail(grant.job_id).waits == "the night is closed until 2026-03-03 11:00 UTC"
    night.clock.now += timedelta(hours=22)
    assert night.grant(boot).checkpoint == checkpoint(2)


def test_a_restart_and_the_end_of_an_attempt_do_not_wait_for_each_other(night: Night) -> None:
    if night.database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    boot = night.start()
    grant = night.grant(boot)
    with ThreadPoolExecutor(1) as other, night.database.write() as tx:
        attempt = attempt_of(tx, grant.lease_id)
        restarted = other.submit(night.register, boot="t1-again")
        waiting = text("select count(*) from pg_locks where not granted")
        give_up = time_module.monotonic() + 30
        while not tx.connection.execute(waiting).scalar_one():
            assert time_module.monotonic() < give_up and not restarted.done()
        pause_trainer(tx, attempt, "No space left on device")
    assert restarted.result(30) == "t1-again"
