import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.client.trainers import TrainerClient
from common.errors import (
    ConfigurationError,
    DigestMismatchError,
    InternalError,
    InvalidRequestError,
    NighttrainError,
    StaleLeaseError,
    StorageError,
    UnauthorizedError,
)
from common.protocol.jobs import Cause, SurveySpec
from common.protocol.trainers import (
    ClaimRequest,
    Directive,
    Failure,
    Finish,
    Grant,
    HostPressure,
    Progress,
    Release,
)
from common.settings.sections import SurveyPolicy
from tests.common.scripted_server import Asked, Reply, ScriptedServer
from tests.trainer.targets import SPEC as TRAINED
from tests.trainer.targets import checkpoint, survey_report
from trainer.agent.lease import FAILURES, HeldLease, Success

POLICY = SurveyPolicy(max_missing_share=0.2, max_defect_share=0.01, max_bar_missing_share=0.0)
SPEC = SurveySpec(symbol="BTCUSDT", timeframes=("1h",), policy=POLICY)
GRANT = Grant(
    lease_id="L",
    job_id=1,
    run_id=1,
    attempt=1,
    spec=SPEC,
    memory_limit_bytes=2 << 30,
    deadline_seconds=600.0,
    checkpoint=None,
    champion=None,
)
CLAIM = ClaimRequest(
    boot_id="B",
    pressure=HostPressure(memory_total_bytes=2, memory_available_bytes=1, cpu_ratio=0.5),
)
SUCCESS = Success(Finish(result=survey_report(SPEC), seconds=1.0, peak_memory_bytes=5), b"pickle")
FAILURE = Failure(
    cause=Cause.CRASH,
    message="m",
    evidence="e",
    seconds=1.0,
    peak_memory_bytes=1,
    memory_limit_bytes=2,
)
RELEASE = Release(cause=Cause.STOPPED, seconds=1.0, peak_memory_bytes=1)


class Coordinator:
    """Accepts everything, unless a test says what a path answers next."""

    def __init__(self) -> None:
        self.errors: dict[str, list[NighttrainError | None]] = {}
        self.directive = "continue"
        self.hold = threading.Event()
        self.hold.set()
        self.heard: list[str] = []
        self.offered: Grant | None = None

    def __call__(self, asked: Asked) -> Reply | None:
        self.hold.wait(10.0)
        word = asked.path.rpartition("/")[2]
        self.heard.append(word)
        errors = self.errors.get(word, [])
        if errors:
            error = errors.pop(0) if len(errors) > 1 or errors[0] is not None else None
            if isinstance(error, ConnectionLostError):
                return None
            if error is not None:
                body = json.dumps(error.problem()).encode()
                return Reply(error.kind.status, body, {"Content-Type": "application/problem+json"})
        if word == "renewals":
            return Reply(body=json.dumps({"directive": self.directive, "expires_in_seconds": 30}).encode())
        if word == "failure":
            return Reply(body=b'{"state": "queued", "retry_in_seconds": 1.0}')
        if word == "finish" and self.offered is not None:
            return Reply(body=self.offered.model_dump_json().encode())
        return Reply(204)


class ConnectionLostError(NighttrainError):
    """Not an answer: the connection breaks."""


@pytest.fixture
def coordinator() -> Coordinator:
    return Coordinator()


@pytest.fixture
def server(coordinator) -> Iterator[ScriptedServer]:
    with ScriptedServer(coordinator) as running:
        yield running


@pytest.fixture
def hold(server, tmp_path) -> Iterator[Callable[..., HeldLease]]:
    token: Path = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text("a-token-of-more-than-thirty-two-letters")
    leases = []
    with TrainerClient(server.url, token) as client:

        def make(renew_seconds: float = 60.0, checkpoint_seconds: float = 0.0, **others: object) -> HeldLease:
            given = {"checkpoint_seconds": checkpoint_seconds, **others}
            leases.append(HeldLease(client, GRANT, renew_seconds, **given))
            return leases[-1]

        yield make
        for lease in leases:
            lease.abandon()
            lease.wait(5.0)


def until(fact: Callable[[], object]) -> None:
    give_up = time.monotonic() + 10.0
    while not fact():
        assert time.monotonic() < give_up
        time.sleep(0.005)


def bodies(server: ScriptedServer, word: str) -> list[Asked]:
    return [asked for asked in server.asked if asked.path.endswith(word)]


def test_it_renews_at_the_rate_it_was_told_with_the_latest_progress(hold, server) -> None:
    lease = hold(0.1)
    lease.progress = Progress(stage="crossval", done=2, total=5, memory_bytes=1, peak_memory_bytes=2)
    began = time.monotonic()
    until(lambda: len(server.asked) >= 5)
    assert 0.3 < time.monotonic() - began < 3.0
    assert bodies(server, "renewals")[-1].json["progress"]["done"] == 2
    assert lease.directive is Directive.CONTINUE
    assert not lease.is_over


@pytest.mark.parametrize("directive", [Directive.RELEASE, Directive.CANCEL])
def test_what_the_coordinator_wants_is_told(hold, coordinator, directive) -> None:
    lease = hold(0.02)
    coordinator.directive = directive.value
    until(lambda: lease.directive is directive)


def test_a_result_is_sent_with_the_digest_of_its_artifact_and_asks_for_the_next_job(
    hold, coordinator, server
) -> None:
    coordinator.offered = GRANT.model_copy(update={"lease_id": "L2"})
    lease = hold(next_claim=lambda: CLAIM)
    lease.conclude(SUCCESS)
    assert lease.wait(5.0)
    (finish,) = server.asked
    assert finish.path.endswith("/leases/L/finish")
    assert finish.json["artifact_sha256"] == hashlib.sha256(b"pickle").hexdigest()
    assert finish.json["next_claim"] == CLAIM.model_dump(mode="json")
    assert lease.offered == coordinator.offered


def test_a_coordinator_of_an_earlier_version_gets_the_artifact_and_a_result_that_asks_for_nothing(
    hold, coordinator, server
) -> None:
    coordinator.errors = {"finish": [InvalidRequestError("body.next_claim: Extra inputs"), None]}
    lease = hold(next_claim=lambda: CLAIM)
    lease.conclude(SUCCESS)
    assert lease.wait(5.0)
    _, artifact, finish = server.asked
    assert artifact.path.endswith("/leases/L/artifact")
    assert artifact.body == b"pickle"
    assert finish.json["artifact_sha256"] == hashlib.sha256(b"pickle").hexdigest()
    assert finish.json["next_claim"] is None
    assert lease.accepted is SUCCESS and lease.offered is None


def test_a_survey_uploads_nothing(hold, coordinator) -> None:
    lease = hold()
    lease.conclude(Success(SUCCESS.finish, b""))
    assert lease.wait(5.0)
    assert coordinator.heard == ["finish"]


@pytest.mark.parametrize(("report", "word"), [(FAILURE, "failure"), (RELEASE, "release")])
def test_a_checkpoint_goes_before_the_report(hold, coordinator, report, word) -> None:
    coordinator.hold.clear()
    lease = hold()
    lease.save(checkpoint(1))
    lease.save(checkpoint(2))
    lease.conclude(report)
    coordinator.hold.set()
    assert lease.wait(5.0)
    assert coordinator.heard[-2:] == ["checkpoint", word]


def test_only_the_latest_checkpoint_is_sent_and_none_that_a_result_makes_useless(
    hold, coordinator, server
) -> None:
    lease = hold(0.05)
    coordinator.hold.clear()
    time.sleep(0.2)
    for folds in range(1, 6):
        lease.save(checkpoint(folds))
    coordinator.hold.set()
    until(lambda: "checkpoint" in coordinator.heard)
    assert [len(asked.json["folds"]) for asked in bodies(server, "checkpoint")] == [5]

    coordinator.hold.clear()
    time.sleep(0.2)
    lease.save(checkpoint(6))
    lease.conclude(SUCCESS)
    coordinator.hold.set()
    assert lease.wait(5.0)
    assert len(bodies(server, "checkpoint")) == 1


def test_checkpoints_in_quick_succession_cost_a_request_each_second_and_not_each(
    hold, coordinator, server
) -> None:
    began = time.monotonic()
    lease = hold(checkpoint_seconds=0.2)
    spec = TRAINED.model_copy(update={"n_splits": 40})
    for folds in range(1, 41):
        lease.save(checkpoint(folds, spec))
        time.sleep(0.01)
    until(lambda: bodies(server, "checkpoint") and len(bodies(server, "checkpoint")[-1].json["folds"]) == 40)
    assert 1 <= len(bodies(server, "checkpoint")) <= (time.monotonic() - began) / 0.2


def test_a_result_that_comes_before_its_time_makes_a_checkpoint_useless(hold, coordinator) -> None:
    lease = hold(checkpoint_seconds=60.0)
    lease.save(checkpoint(1))
    lease.conclude(SUCCESS)
    assert lease.wait(5.0)
    assert coordinator.heard == ["finish"]


@pytest.mark.parametrize(("report", "word"), [(FAILURE, "failure"), (RELEASE, "release")])
def test_the_report_of_an_attempt_without_a_result_takes_along_a_checkpoint_that_waits(
    hold, coordinator, report, word
) -> None:
    lease = hold(checkpoint_seconds=60.0)
    lease.save(checkpoint(2))
    lease.conclude(report)
    assert lease.wait(5.0)
    assert coordinator.heard == ["checkpoint", word]


def test_while_the_coordinator_is_away_all_is_kept_and_the_first_word_is_a_renewal(hold, coordinator) -> None:
    lost = ConnectionLostError("away")
    coordinator.errors = {"checkpoint": [lost, None], "renewals": [lost, lost, None]}
    lease = hold()
    lease.save(checkpoint(3))
    until(lambda: coordinator.heard.count("checkpoint") == 2)
    assert coordinator.heard == ["checkpoint", "renewals", "renewals", "renewals", "checkpoint"]
    assert not lease.is_over


@pytest.mark.parametrize("error", [StorageError("disk full"), ConnectionLostError("away")])
def test_a_result_is_tried_until_it_is_accepted(hold, coordinator, error) -> None:
    coordinator.errors = {"finish": [error] * 3 + [None]}
    lease = hold()
    lease.conclude(SUCCESS)
    assert lease.wait(20.0)
    assert coordinator.heard.count("finish") == 4
    assert not lease.is_lost


@pytest.mark.parametrize("word", ["renewals", "checkpoint", "finish"])
def test_a_lost_lease_ends_it_whatever_was_said(hold, coordinator, word) -> None:
    coordinator.errors = {word: [StaleLeaseError("lease L is no longer held"), None]}
    lease = hold(0.05 if word == "renewals" else 60.0)
    if word == "checkpoint":
        lease.save(checkpoint(1))
    elif word != "renewals":
        lease.conclude(SUCCESS)
    assert lease.wait(5.0)
    assert lease.is_lost
    assert lease.fatal is None
    assert coordinator.heard[-1] == word


def test_a_token_that_is_refused_is_fatal(hold, coordinator) -> None:
    coordinator.errors = {"renewals": [UnauthorizedError("wrong token"), None]}
    lease = hold(0.02)
    assert lease.wait(5.0)
    assert isinstance(lease.fatal, UnauthorizedError)


def test_an_answer_of_another_language_is_fatal(hold, coordinator) -> None:
    coordinator.directive = "dance"
    lease = hold(0.02)
    assert lease.wait(5.0)
    assert isinstance(lease.fatal, ConfigurationError)


@pytest.mark.parametrize(
    "error", [InvalidRequestError("not of this job"), DigestMismatchError("other bytes")]
)
def test_a_result_that_is_refused_is_reported_as_a_failure(hold, coordinator, server, error) -> None:
    coordinator.errors = {"finish": [error, error, None]}
    lease = hold()
    lease.conclude(SUCCESS)
    assert lease.wait(5.0)
    assert coordinator.heard == ["finish", "artifact", "finish", "failure"]
    told = server.asked[-1].json
    assert told["cause"] == "error"
    assert told["message"] == f"the coordinator refused the result: {error.detail}"
    assert (told["seconds"], told["peak_memory_bytes"], told["memory_limit_bytes"]) == (1.0, 5, 2 << 30)


def test_a_coordinator_that_fails_is_asked_again_but_not_for_ever(hold, coordinator, monkeypatch) -> None:
    broken = InternalError("a defect")
    coordinator.errors = {"finish": [broken] * 100, "failure": [broken] * 100}
    lease = hold()
    lease._backoff.cap = 0.01
    lease.conclude(SUCCESS)
    assert lease.wait(10.0)
    assert coordinator.heard.count("finish") == FAILURES + 1
    assert coordinator.heard.count("failure") == FAILURES + 1
    assert not lease.is_lost


def test_a_checkpoint_that_is_refused_is_dropped_and_the_job_goes_on(hold, coordinator) -> None:
    coordinator.errors = {"checkpoint": [InvalidRequestError("no"), None]}
    lease = hold()
    lease.save(checkpoint(1))
    until(lambda: "checkpoint" in coordinator.heard)
    lease.conclude(SUCCESS)
    assert lease.wait(5.0)
    assert coordinator.heard == ["checkpoint", "finish"]


def test_abandoned_it_says_no_more(hold, coordinator) -> None:
    coordinator.errors = {"finish": [ConnectionLostError("away")] * 1000}
    lease = hold()
    lease.conclude(SUCCESS)
    until(lambda: "finish" in coordinator.heard)
    lease.abandon()
    assert lease.wait(5.0)
    said = len(coordinator.heard)
    time.sleep(0.3)
    assert len(coordinator.heard) == said
