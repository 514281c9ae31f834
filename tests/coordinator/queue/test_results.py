"""A result ends the job that it is about, and no other."""

from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import delete

from common.errors import (
    DigestMismatchError,
    InternalError,
    InvalidRequestError,
    StaleLeaseError,
)
from common.protocol.jobs import JobState, SurveySpec
from common.protocol.reports import TrainingReport
from common.protocol.trainers import Grant, NoWork
from coordinator.policy.admission import Refusal
from coordinator.queue import claims
from coordinator.queue.results import Model
from coordinator.store.database import Transaction
from coordinator.store.tables import reports
from tests.coordinator.specimens import (
    Night,
    claim,
    finish,
    spec_of,
    survey_report,
    training_report,
    with_digest,
)


def test_a_finished_job_keeps_everything_it_brought(night: Night) -> None:
    boot = night.start()
    grant = night.grant(boot)
    report = night.succeed(grant)
    job = night.detail(grant.job_id)
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
    boot = night.start()
    grant = night.grant(boot)
    report, content = training_report(spec_of(grant))
    announced = report.manifest.pickle_sha256
    if digests != "not uploaded":
        night.artifacts.store(content, announced)
        night.queue.attach_artifact(grant.lease_id, announced, len(content))
    if digests == "another manifest":
        other = with_digest(report.manifest.model_copy(update={"intercept": 1.0}))
        report = report.model_copy(update={"manifest": other})
    with pytest.raises(DigestMismatchError):
        night.queue.finish(grant.lease_id, finish(report, "" if digests == "not announced" else announced))
    assert night.detail(grant.job_id).state is JobState.LEASED
    night.succeed(grant)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pickle_sha256": "ab" * 32}, "the .pkl is not the one that the manifest makes"),
        ({"coefficients": (0.1,)}, "the manifest has 2 features, but means, scales or coefficients of other"),
        ({"features": ("a", "a")}, "the manifest has no feature, or one twice"),
        ({"C": 7.0}, "C = 7 is none of the specification"),
    ],
)
def test_a_model_that_is_not_what_its_manifest_says_is_refused(
    night: Night, changes: dict[str, object], words: str
) -> None:
    grant = night.grant(night.start())
    report, _ = training_report(spec_of(grant))
    forged = report.manifest.model_copy(update=changes)
    content = b"any code"
    night.artifacts.store(content, hashlib.sha256(content).hexdigest())
    night.queue.attach_artifact(grant.lease_id, forged.pickle_sha256, len(content))
    with pytest.raises(InvalidRequestError, match=words):
        night.queue.finish(
            grant.lease_id, finish(report.model_copy(update={"manifest": forged}), forged.pickle_sha256)
        )
    assert night.detail(grant.job_id).state is JobState.LEASED


def test_a_model_is_kept_only_of_a_result_that_is_taken(night: Night) -> None:
    boot = night.start()
    grant, kept = night.grant(boot), []
    report, content = training_report(spec_of(grant))
    sha256 = report.manifest.pickle_sha256
    model = Model(sha256, len(content), lambda: kept.append(sha256))
    with pytest.raises(InvalidRequestError):
        night.queue.finish(grant.lease_id, finish(report.model_copy(update={"rows": 1}), sha256), model)
    with pytest.raises(StaleLeaseError):
        night.queue.finish("0" * 32, finish(report, sha256), model)
    assert not kept
    night.queue.finish(grant.lease_id, finish(report, sha256), model)
    assert kept == [sha256]
    other = Model("0" * 64, 1, lambda: kept.append("another"))
    night.queue.finish(grant.lease_id, finish(report, sha256), other)
    assert kept == [sha256]


def test_a_model_that_was_not_stored_before_a_kill_is_when_the_result_is_told_again(night: Night) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    grant, kept = night.grant(night.start()), []
    report, content = training_report(spec_of(grant))
    sha256 = report.manifest.pickle_sha256
    with pytest.raises(KeyboardInterrupt):
        night.queue.finish(grant.lease_id, finish(report, sha256), Model(sha256, len(content), die))
    night.queue.finish(
        grant.lease_id, finish(report, sha256), Model(sha256, len(content), lambda: kept.append(sha256))
    )
    assert kept == [sha256]
    assert night.detail(grant.job_id).state is JobState.SUCCEEDED


def test_a_result_whose_model_was_uploaded_before_is_taken_with_it(night: Night) -> None:
    grant = night.grant(night.start())
    report = _upload(night, grant)
    sha256 = report.manifest.pickle_sha256
    night.queue.finish(grant.lease_id, finish(report, sha256), Model(sha256, 1))
    assert night.detail(grant.job_id).state is JobState.SUCCEEDED


def test_the_next_job_comes_with_the_answer_to_a_result(night: Night) -> None:
    boot = night.start()
    grant = night.grant(boot)
    report, asked = _upload(night, grant), claim(boot, "BTCUSDT")
    done = finish(report, report.manifest.pickle_sha256).model_copy(update={"next_claim": asked})
    following = night.queue.finish(grant.lease_id, done)
    assert isinstance(following, Grant) and following.job_id != grant.job_id
    assert night.detail(grant.job_id).state is JobState.SUCCEEDED
    # The answer was lost: it is given again, and no other job with it.
    assert night.queue.finish(grant.lease_id, done) == night.queue.claim(asked) == following


def test_where_no_job_is_left_the_answer_to_a_result_says_why(night: Night) -> None:
    boot = night.start(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,))
    grant = night.grant(boot)
    report = _upload(night, grant)
    done = finish(report, report.manifest.pickle_sha256).model_copy(update={"next_claim": claim(boot)})
    answer = night.queue.finish(grant.lease_id, done)
    assert isinstance(answer, Refusal) and answer.reason is NoWork.EMPTY


@pytest.mark.parametrize("boot", ["nobody", "t2-boot", "other-boot"])
def test_a_result_is_taken_whether_or_not_its_trainer_may_claim(night: Night, boot: str) -> None:
    grant = night.grant(night.start())
    night.register("t2", "t2-boot")
    night.register("t2", "t2-later")
    night.register("other")
    report = _upload(night, grant)
    done = finish(report, report.manifest.pickle_sha256).model_copy(update={"next_claim": claim(boot)})
    assert night.queue.finish(grant.lease_id, done) is None
    assert night.detail(grant.job_id).state is JobState.SUCCEEDED


def test_a_claim_that_fails_leaves_the_result_before_it(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot = night.start()
    grant = night.grant(boot)
    report = _upload(night, grant)
    done = finish(report, report.manifest.pickle_sha256).model_copy(update={"next_claim": claim(boot)})

    def fail(tx: Transaction, *_: object) -> None:
        tx.connection.execute(delete(reports))
        raise InternalError("a defect")

    monkeypatch.setattr(claims, "decide", fail)
    assert night.queue.finish(grant.lease_id, done) is None
    job = night.detail(grant.job_id)
    assert (job.state, job.report) == (JobState.SUCCEEDED, report)


def _upload(night: Night, grant: Grant) -> TrainingReport:
    report, content = training_report(spec_of(grant))
    night.artifacts.store(content, report.manifest.pickle_sha256)
    night.queue.attach_artifact(grant.lease_id, report.manifest.pickle_sha256, len(content))
    return report


def test_a_result_must_be_of_this_job(night: Night) -> None:
    boot = night.start()
    grant = night.grant(boot)
    spec = spec_of(grant)
    other = spec.model_copy(update={"cell": spec.cell.model_copy(update={"horizon": 99})})
    real = spec.model_copy(update={"synthetic": True})
    survey = SurveySpec(symbol="BTCUSDT", timeframes=("1h",), policy=night.settings.data.policy)
    for wrong in (training_report(other)[0], training_report(real)[0], survey_report(survey)):
        with pytest.raises(InvalidRequestError):
            night.queue.finish(grant.lease_id, finish(wrong))
    night.succeed(grant)
