"""The contract of the queue, on every backend: what each call changes, and what it refuses to change."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta

import pytest

from common.errors import (
    ConflictError,
    DigestMismatchError,
    InvalidRequestError,
    NotFoundError,
    StaleLeaseError,
)
from common.protocol.job_views import JobDetail, JobView, Outcome
from common.protocol.jobs import Cause, JobKind, JobState, SurveySpec, TrainingSpec
from common.protocol.trainers import Directive, Grant, LimitKind, NoWork
from common.settings.sections import Breaker, Deadline, Lease, Retry, Window
from coordinator.policy.admission import Refusal
from coordinator.views.jobs import JobListing
from tests.coordinator.specimens import (
    GIB,
    MakeNight,
    Night,
    checkpoint,
    digest,
    failure,
    finish,
    hello,
    manifest,
    progress,
    release,
    renewal,
    survey_report,
    training_report,
)


def jobs(night: Night, **filters: object) -> tuple[JobView, ...]:
    return JobListing(night.database, night.settings).page(filters, 500, 0).jobs


def detail(night: Night, job_id: int) -> JobDetail:
    return JobListing(night.database, night.settings).detail(job_id)


def started(night: Night, **changes: object) -> str:
    """A run whose surveys are done, and the boot id of a trainer."""
    night.begin(**changes)
    boot = night.register()
    night.survey_all(boot)
    return boot


def spec_of(grant: Grant) -> TrainingSpec:
    assert isinstance(grant.spec, TrainingSpec)
    return grant.spec


# --- Claims -------------------------------------------------------------------------------------------------


def test_surveys_come_before_training_and_know_what_to_read(night: Night) -> None:
    night.begin(timeframes=("15m",))
    grant = night.grant(night.register())
    assert isinstance(grant.spec, SurveySpec)
    assert grant.spec.symbol == "BTCUSDT"
    assert grant.spec.timeframes == ("15m", "1h", "1d")
    assert list(grant.spec.timeframes) == sorted(grant.spec.timeframes, key=lambda one: one.seconds)
    assert grant.memory_limit_bytes == 2 * GIB and grant.checkpoint is None and grant.champion is None


def test_training_waits_for_the_survey_of_its_symbol(night: Night) -> None:
    night.begin(symbols=("BTCUSDT",))
    first = night.grant(night.register("t1"))
    refusal = night.claim(night.register("t2"))
    assert isinstance(refusal, Refusal) and refusal.reason is NoWork.WAITING
    night.queue.finish(first.lease_id, finish(survey_report(first.spec)))
    assert spec_of(night.grant("t2-boot")).cell.symbol == "BTCUSDT"


def test_a_training_job_says_what_it_trains_on(night: Night) -> None:
    boot = started(night, timeframes=("15m",))
    spec = spec_of(night.grant(boot))
    assert spec.data_digests == {tf: digest(f"{spec.cell.symbol} {tf}") for tf in ("15m", "1h", "1d")}
    assert spec.n_splits == 5 and spec.Cs == night.settings.model.C and not spec.synthetic


def test_context_that_was_refused_is_left_out(night: Night) -> None:
    night.begin(timeframes=("15m",))
    boot = night.register()
    night.survey_all(boot, refused={"1d": "too short"})
    assert set(spec_of(night.grant(boot)).data_digests) == {"15m", "1h"}


def test_the_most_traded_symbol_goes_first_then_the_longest_job(night: Night) -> None:
    night.begin(symbols=("ADAUSDT", "DOGEUSDT"))
    boot = night.register()
    night.survey_all(boot)
    assert spec_of(night.grant(boot)).cell.name == "DOGEUSDT_15m_H1"


def test_a_trainer_stays_with_its_symbol(night: Night) -> None:
    boot = started(night)
    assert spec_of(night.grant(boot, last_symbol="ETHUSDT")).cell.symbol == "ETHUSDT"


def test_a_job_that_waited_too_long_goes_first(make_night: MakeNight) -> None:
    night = make_night(max_wait_seconds=100)
    night.begin()
    boot = night.register()
    for _ in range(2):
        grant = night.grant(boot)
        night.queue.finish(grant.lease_id, finish(survey_report(grant.spec)))
        night.clock.advance(50)
    night.queue.release(night.grant(boot, last_symbol="ETHUSDT").lease_id, release())
    assert jobs(night, symbol="ETHUSDT", kind=JobKind.TRAINING)[0].attempts == 1
    night.clock.advance(1)
    assert spec_of(night.grant(boot, last_symbol="ETHUSDT")).cell.symbol == "BTCUSDT"


def test_an_answer_that_was_lost_is_given_again(night: Night) -> None:
    boot = started(night)
    first = night.grant(boot)
    night.clock.advance(20)
    assert night.grant(boot) == first
    night.clock.advance(20)
    assert night.queue.expire() == 0
    assert len(jobs(night, state=JobState.LEASED)) == 1


def test_trainers_that_ask_at_once_get_a_job_each(night: Night) -> None:
    started(night)
    boots = [night.register(f"t{index}", host=f"host-{index % 3}") for index in range(2, 10)]
    with ThreadPoolExecutor(len(boots)) as pool:
        grants = list(pool.map(night.grant, boots))
    assert len({grant.job_id for grant in grants}) == len({grant.lease_id for grant in grants}) == len(boots)
    assert {job.id for job in jobs(night, state=JobState.LEASED)} == {grant.job_id for grant in grants}


def test_without_a_run_there_is_nothing_to_do(night: Night) -> None:
    refusal = night.claim(night.register())
    assert isinstance(refusal, Refusal) and refusal.reason is NoWork.EMPTY


def test_a_pressed_host_gets_nothing(night: Night) -> None:
    boot = started(night)
    refusal = night.claim(boot, free=0.1)
    assert isinstance(refusal, Refusal) and refusal.reason is NoWork.MEMORY_PRESSURE


def test_a_trainer_must_have_registered(night: Night) -> None:
    with pytest.raises(NotFoundError, match="register first"):
        night.claim("nobody")


def test_the_deadline_grows_with_what_was_measured(make_night: MakeNight) -> None:
    night = make_night(deadline=Deadline(minimum_seconds=60, factor=10))
    boot = started(night)
    first = night.grant(boot, last_symbol="BTCUSDT")
    assert first.deadline_seconds == 60
    night.succeed(first)
    assert night.grant(boot, last_symbol="BTCUSDT").deadline_seconds == pytest.approx(100)


# --- Leases -------------------------------------------------------------------------------------------------


def test_a_renewal_keeps_the_lease_and_tells_the_progress(night: Night) -> None:
    boot = started(night)
    grant = night.grant(boot)
    for _ in range(5):
        night.clock.advance(25)
        answer = night.queue.renew(grant.lease_id, renewal(done=3))
        assert answer.directive is Directive.CONTINUE and answer.expires_in_seconds == 30
        assert night.queue.expire() == 0
    [job] = jobs(night, state=JobState.LEASED)
    assert job.progress == progress(done=3) and job.trainer == "t1"


def test_silence_ends_the_lease_as_a_crash(night: Night) -> None:
    boot = started(night)
    grant = night.grant(boot)
    night.queue.renew(grant.lease_id, renewal())
    night.clock.advance(30)
    assert night.queue.expire() == 0
    night.clock.advance(1)
    assert night.queue.expire() == 1
    [attempt] = detail(night, grant.job_id).history
    assert (attempt.outcome, attempt.cause, attempt.charged) == (Outcome.EXPIRED, Cause.CRASH, True)
    assert attempt.message == "trainer t1 was silent for 31 s"
    assert attempt.peak_memory_bytes == GIB // 2 and "crossval 1/5" in attempt.evidence


def test_a_lease_past_its_time_is_held_until_it_is_taken_back(night: Night) -> None:
    boot = started(night)
    grant = night.grant(boot)
    night.clock.advance(300)
    night.succeed(grant)
    assert detail(night, grant.job_id).state is JobState.SUCCEEDED


def test_a_restart_of_the_trainer_gives_its_lease_up_at_once(night: Night) -> None:
    started(night)
    grant = night.grant("t1-boot")
    assert night.queue.register(hello(boot="t1-second")).lost_leases == 1
    [attempt] = detail(night, grant.job_id).history
    assert attempt.cause is Cause.CRASH and "restarted while it held" in attempt.message
    with pytest.raises(StaleLeaseError):
        night.queue.renew(grant.lease_id, renewal())
    with pytest.raises(ConflictError, match="another process has registered as trainer t1"):
        night.claim("t1-boot")
    with pytest.raises(ConflictError):
        night.queue.register(hello(boot="t1-boot"))


def test_registering_twice_alike_loses_nothing(night: Night) -> None:
    boot = started(night)
    grant = night.grant(boot)
    assert night.queue.register(hello()).lost_leases == 0
    night.succeed(grant)


def test_a_restart_of_the_coordinator_is_free(make_night: MakeNight) -> None:
    night = make_night()
    boot = started(night)
    grant = night.grant(boot)
    night.clock.advance(500)
    again = make_night()
    assert again.queue.extend() == 1
    assert again.queue.expire() == 0
    again.clock.advance(29)
    again.succeed(grant)
    assert detail(again, grant.job_id).attempts == 1


def test_every_write_of_a_stale_lease_is_refused_and_changes_nothing(night: Night) -> None:
    boot = started(night)
    grant = night.grant(boot)
    night.clock.advance(31)
    night.queue.expire()
    before = detail(night, grant.job_id)
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
    assert detail(night, grant.job_id) == before


# --- Ends ---------------------------------------------------------------------------------------------------


def test_a_failed_job_is_tried_again_until_the_budget_of_its_cause_is_spent(night: Night) -> None:
    boot = started(night, symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,))
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
    job = detail(night, grant.job_id)
    assert (job.state, job.cause, job.message) == (JobState.FAILED, Cause.ERROR, "no 3")
    assert [one.message for one in job.history] == ["no 1", "no 2", "no 3"]
    assert job.history[0].evidence == "the last lines of its log" and job.history[0].peak_memory_bytes == GIB


def test_each_cause_has_a_budget_of_its_own(make_night: MakeNight) -> None:
    night = make_night(retry=Retry(error=2, crash=2, timeout=2, oom=2, backoff_base=0.001))
    boot = started(night, symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,))
    for cause in (Cause.ERROR, Cause.CRASH, Cause.TIMEOUT, Cause.OOM):
        grant = night.grant(boot)
        assert night.queue.fail(grant.lease_id, failure(cause)).state == JobState.QUEUED
        night.clock.advance(1)
    grant = night.grant(boot)
    assert night.queue.fail(grant.lease_id, failure(Cause.TIMEOUT)).state == JobState.FAILED


def test_a_data_error_is_final_at_once(night: Night) -> None:
    boot = started(night)
    grant = night.grant(boot)
    assert night.queue.fail(grant.lease_id, failure(Cause.DATA, "one class only")).state == JobState.FAILED
    assert detail(night, grant.job_id).message == "one class only"


@pytest.mark.parametrize("cause", [Cause.STOPPED, Cause.NIGHT_CLOSED])
def test_a_clean_stop_is_free_as_often_as_it_comes(night: Night, cause: Cause) -> None:
    boot = started(night, symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,))
    for _ in range(5):
        night.queue.release(night.grant(boot).lease_id, release(cause))
    job = detail(night, night.grant(boot).job_id)
    assert job.attempts == 6 and not any(one.charged for one in job.history[:5])


def test_a_job_waits_out_its_backoff(make_night: MakeNight) -> None:
    night = make_night(retry=Retry(backoff_base=100))
    boot = started(night, symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,))
    grant = night.grant(boot)
    wait = night.queue.fail(grant.lease_id, failure()).retry_in_seconds
    assert wait is not None
    night.clock.advance(wait - 0.001)
    refusal = night.claim(boot)
    assert isinstance(refusal, Refusal) and refusal.reason is NoWork.WAITING
    assert "before its next attempt" in detail(night, grant.job_id).waits
    night.clock.advance(0.002)
    assert night.grant(boot).job_id == grant.job_id


def test_an_answer_to_an_end_that_was_lost_is_given_again(night: Night) -> None:
    boot = started(night)
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
        assert len(detail(night, lease.job_id).history) <= 2
    with pytest.raises(StaleLeaseError):
        night.queue.fail(done.lease_id, failure())
    with pytest.raises(StaleLeaseError):
        night.queue.fail(failed.lease_id, failure(Cause.CRASH))
    with pytest.raises(StaleLeaseError):
        night.queue.release(failed.lease_id, release())
    with pytest.raises(StaleLeaseError):
        night.queue.finish(given.lease_id, finish(report, report.manifest.pickle_sha256))


# --- Results ------------------------------------------------------------------------------------------------


def test_a_finished_job_keeps_everything_it_brought(night: Night) -> None:
    boot = started(night)
    grant = night.grant(boot)
    report = night.succeed(grant)
    job = detail(night, grant.job_id)
    assert job.report == report
    assert (job.state, job.scores, job.p_value, job.seconds) == (
        JobState.SUCCEEDED,
        report.scores,
        0.001,
        10.0,
    )


@pytest.mark.parametrize("digests", ["not uploaded", "another manifest", "not announced"])
def test_a_model_must_be_the_one_that_was_uploaded_and_that_the_manifest_names(
    night: Night, digests: str
) -> None:
    boot = started(night)
    grant = night.grant(boot)
    report, content = training_report(spec_of(grant))
    announced = report.manifest.pickle_sha256
    if digests != "not uploaded":
        night.artifacts.store(content, announced)
        night.queue.attach_artifact(grant.lease_id, announced, len(content))
    if digests == "another manifest":
        report = report.model_copy(update={"manifest": manifest(report.cell)})
    with pytest.raises(DigestMismatchError):
        night.queue.finish(grant.lease_id, finish(report, "" if digests == "not announced" else announced))
    assert detail(night, grant.job_id).state is JobState.LEASED
    night.succeed(grant)


def test_a_result_must_be_of_this_job(night: Night) -> None:
    boot = started(night)
    grant = night.grant(boot)
    spec = spec_of(grant)
    other = spec.model_copy(update={"cell": spec.cell.model_copy(update={"horizon": 99})})
    real = spec.model_copy(update={"synthetic": True})
    survey = SurveySpec(symbol="BTCUSDT", timeframes=("1h",), policy=night_policy(night))
    for wrong in (training_report(other)[0], training_report(real)[0], survey_report(survey)):
        with pytest.raises(InvalidRequestError):
            night.queue.finish(grant.lease_id, finish(wrong))
    night.succeed(grant)


def night_policy(night: Night) -> object:
    return night.settings.data.policy


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
    failed = jobs(night, state=JobState.FAILED)
    assert {(job.timeframe, job.cause) for job in failed} == {("15m", Cause.DATA)} and len(failed) == 4
    assert failed[0].message == "BTCUSDT 15m: 31 % of the bars are missing" and failed[0].attempts == 0
    assert all(job.rows == 17_520 for job in jobs(night, timeframe="1h"))


def test_a_survey_that_fails_for_good_fails_its_cells_and_no_others(night: Night) -> None:
    night.begin()
    boot = night.register()
    grant = night.grant(boot)
    night.queue.fail(grant.lease_id, failure(Cause.DATA, "no candles of BTCUSDT in data/candles"))
    failed = jobs(night, state=JobState.FAILED, kind=JobKind.TRAINING)
    assert {job.symbol for job in failed} == {"BTCUSDT"} and len(failed) == 4
    assert failed[0].message == "the survey of BTCUSDT failed: no candles of BTCUSDT in data/candles"
    assert all(job.cause is Cause.DATA for job in failed)


def test_a_survey_that_fails_once_is_tried_again(night: Night) -> None:
    night.begin(symbols=("BTCUSDT",))
    boot = night.register()
    night.queue.fail(night.grant(boot).lease_id, failure())
    assert not jobs(night, state=JobState.FAILED)
    night.clock.advance(2)
    assert night.grant(boot).attempt == 2


# --- Checkpoints --------------------------------------------------------------------------------------------


def test_the_next_attempt_gets_the_saved_folds(night: Night) -> None:
    boot = started(night, symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,))
    grant = night.grant(boot)
    night.queue.save_checkpoint(grant.lease_id, checkpoint(1))
    night.queue.save_checkpoint(grant.lease_id, checkpoint(3))
    assert detail(night, grant.job_id).checkpoint == checkpoint(3)
    night.queue.release(grant.lease_id, release())
    again = night.grant(boot)
    assert again.checkpoint == checkpoint(3)
    night.succeed(again, resumed_folds=3)
    assert detail(night, grant.job_id).checkpoint is None


# --- Memory -------------------------------------------------------------------------------------------------


def test_after_an_oom_the_job_runs_alone_in_a_larger_room(night: Night) -> None:
    boot = started(night, symbols=("BTCUSDT",))
    other = night.register("t2")
    hurt, busy = night.grant(boot), night.grant(other)
    night.queue.fail(hurt.lease_id, failure(Cause.OOM))
    night.clock.advance(2)
    second = night.grant(boot)
    assert second.job_id != hurt.job_id and second.memory_limit_bytes == 2 * GIB
    assert "waits to run alone" in detail(night, hurt.job_id).waits
    night.succeed(busy)
    night.succeed(second)
    alone = night.grant(boot)
    assert alone.job_id == hurt.job_id and alone.memory_limit_bytes == int(int(16 * GIB * 0.9) * 0.85)
    refusal = night.claim(other)
    assert isinstance(refusal, Refusal) and refusal.reason is NoWork.NEEDS_LONE_ROOM


def test_a_survey_that_nobody_has_room_for_takes_its_cells_with_it(night: Night) -> None:
    night.begin(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1, 3))
    boot = night.register(kind=LimitKind.CGROUP)
    assert night.queue.fail(night.grant(boot).lease_id, failure(Cause.OOM)).state == JobState.QUEUED
    assert night.queue.fail_roomless() == 1
    cells = [detail(night, job_id) for job_id in (2, 3)]
    assert [cell.state for cell in cells] == [JobState.FAILED, JobState.FAILED]
    assert {cell.cause for cell in cells} == {Cause.OOM}
    assert all("the survey of BTCUSDT failed: ran out of memory" in cell.message for cell in cells)


def test_an_oom_job_that_nobody_can_take_fails_and_says_so(night: Night) -> None:
    night.begin(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,))
    boot = night.register(kind=LimitKind.CGROUP)
    night.survey_all(boot)
    grant = night.grant(boot)
    assert night.queue.fail(grant.lease_id, failure(Cause.OOM)).state == JobState.QUEUED
    assert night.queue.fail_roomless() == 1
    job = detail(night, grant.job_id)
    assert (job.state, job.cause) == (JobState.FAILED, Cause.OOM)
    assert (
        job.message == "ran out of memory in 2.00 GB, and no trainer has more room: the largest has 2.00 GB"
    )


def test_peaks_that_were_measured_keep_a_job_off_a_small_trainer(night: Night) -> None:
    large = started(night, symbols=("BTCUSDT",), timeframes=("1h",))
    night.succeed(night.grant(large))
    small = night.register("small", limit=GIB // 2)
    refusal = night.claim(small)
    assert isinstance(refusal, Refusal) and refusal.reason is NoWork.TOO_LARGE


# --- Breaker ------------------------------------------------------------------------------------------------


def test_a_symbol_whose_cells_fail_in_a_row_is_parked_and_then_probed(make_night: MakeNight) -> None:
    night = make_night(breaker=Breaker(failures=2, park_seconds=60))
    boot, other = started(night, symbols=("BTCUSDT",)), night.register("t2")
    for _ in range(2):
        night.queue.fail(night.grant(boot).lease_id, failure(Cause.DATA))
    refusal = night.claim(boot)
    assert isinstance(refusal, Refusal) and refusal.reason is NoWork.SYMBOL_PARKED
    night.clock.advance(60)
    probe = night.grant(boot)
    assert isinstance(night.claim(other), Refusal)
    night.succeed(probe)
    assert isinstance(night.claim(other), Grant)


def test_a_probe_goes_before_everything_else(make_night: MakeNight) -> None:
    night = make_night(breaker=Breaker(failures=2, park_seconds=60))
    boot = started(night)
    for _ in range(2):
        night.queue.fail(night.grant(boot, last_symbol="BTCUSDT").lease_id, failure(Cause.DATA))
    assert spec_of(night.grant(boot, last_symbol="BTCUSDT")).cell.symbol == "ETHUSDT"
    night.queue.release(night.grant(boot).lease_id, release())
    night.clock.advance(60)
    assert spec_of(night.grant(boot, last_symbol="ETHUSDT")).cell.symbol == "BTCUSDT"


# --- The window ---------------------------------------------------------------------------------------------


def test_when_the_night_closes_jobs_are_given_back_and_carried_over(make_night: MakeNight) -> None:
    night = make_night(window=Window(start=time(11), end=time(13)), lease=Lease(seconds=7200))
    boot = started(night)
    grant = night.grant(boot)
    night.clock.now = datetime(2026, 3, 2, 13, tzinfo=UTC)
    assert night.queue.renew(grant.lease_id, renewal()).directive is Directive.RELEASE
    night.queue.save_checkpoint(grant.lease_id, checkpoint(2))
    night.queue.release(grant.lease_id, release(Cause.NIGHT_CLOSED))
    refusal = night.claim(boot)
    assert isinstance(refusal, Refusal) and refusal.reason is NoWork.NIGHT_CLOSED
    assert detail(night, grant.job_id).waits == "the night is closed until 2026-03-03 11:00 UTC"
    night.clock.now += timedelta(hours=22)
    assert night.grant(boot).checkpoint == checkpoint(2)
