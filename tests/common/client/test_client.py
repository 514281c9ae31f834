import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.client.client import OperatorClient
from common.client.trainers import Nothing, TrainerClient
from common.errors import ConfigurationError, NotFoundError, StaleLeaseError, UnavailableError
from common.protocol.jobs import Cause, JobKind, JobState, SurveySpec
from common.protocol.reports import Checkpoint, SurveyReport
from common.protocol.runs import RunRequest
from common.protocol.steering import KEY_HEADER, Action, Order
from common.protocol.trainers import (
    SHA256_HEADER,
    ClaimRequest,
    Directive,
    Failure,
    Finish,
    Grant,
    HostPressure,
    LimitKind,
    NoWork,
    Progress,
    Release,
    Renewal,
    TrainerHello,
)
from common.settings.grid import GridConfig
from common.settings.night import NightSettings
from common.settings.sections import SurveyPolicy
from tests.common.scripted_server import Asked, Reply, ScriptedServer

PRESSURE = HostPressure(memory_total_bytes=2, memory_available_bytes=1, cpu_ratio=0.5)
CLAIM = ClaimRequest(boot_id="b", pressure=PRESSURE, last_symbol="BTCUSDT")
HELLO = TrainerHello(
    name="t", boot_id="b", host="h", limit_kind=LimitKind.AGENT, memory_limit_bytes=1, version="0"
)
PROGRESS = Progress(stage="crossval", done=1, total=5, memory_bytes=1, peak_memory_bytes=2)
POLICY = SurveyPolicy(max_missing_share=0.2, max_defect_share=0.01, max_bar_missing_share=0.0)
REPORT = SurveyReport(
    symbol="BTCUSDT",
    synthetic=False,
    files=(),
    series=(),
    findings=(),
    quote_volume_per_day=0.0,
    cache_hit=False,
)
GRANT = Grant(
    lease_id="L1",
    job_id=1,
    run_id=1,
    attempt=1,
    spec=SurveySpec(symbol="BTCUSDT", timeframes=("1h",), policy=POLICY),
    memory_limit_bytes=1,
    deadline_seconds=1.0,
    checkpoint=None,
    champion=None,
)


@pytest.fixture
def token(tmp_path) -> Path:
    path = tmp_path / "token"
    path.touch(mode=0o600)
    path.write_text("a-token-of-more-than-thirty-two-letters")
    return path


class Coordinator:
    """Replies by method and path; what is not in the script is not there."""

    def __init__(self) -> None:
        self.script: dict[tuple[str, str], Reply] = {}

    def __call__(self, asked: Asked) -> Reply:
        missing = json.dumps(NotFoundError("no such thing").problem()).encode()
        problem = Reply(404, missing, {"Content-Type": "application/problem+json"})
        return self.script.get((asked.method, asked.path.partition("?")[0]), problem)

    def says(self, method: str, path: str, document: object, status: int = 200, **headers: str) -> None:
        body = b"" if document is None else json.dumps(document).encode()
        self.script[method, path] = Reply(status, body, {"Content-Type": "application/json", **headers})


@pytest.fixture
def coordinator() -> Coordinator:
    return Coordinator()


@pytest.fixture
def server(coordinator):
    with ScriptedServer(coordinator) as running:
        yield running


@pytest.fixture
def trainer(server, token):
    with TrainerClient(server.url, token) as client:
        yield client


@pytest.fixture
def operator(server, token):
    with OperatorClient(server.url, token) as client:
        yield client


def test_register_says_who_it_is(trainer, coordinator, server) -> None:
    coordinator.says("POST", "/api/trainers", {"lease_seconds": 30, "renew_seconds": 10, "lost_leases": 1})
    welcome = trainer.register(HELLO)
    assert (welcome.renew_seconds, welcome.lost_leases) == (10.0, 1)
    assert TrainerHello.model_validate_json(server.asked[0].body) == HELLO


def test_claim_gets_a_job(trainer, coordinator, server) -> None:
    coordinator.says("POST", "/api/claims", GRANT.model_dump(mode="json"))
    assert trainer.claim(CLAIM) == GRANT
    assert ClaimRequest.model_validate_json(server.asked[0].body) == CLAIM


@pytest.mark.parametrize("reason", list(NoWork))
def test_claim_gets_nothing_with_the_reason(trainer, coordinator, reason) -> None:
    headers = {"Nighttrain-Reason": reason.value, "Retry-After": "3"}
    coordinator.says("POST", "/api/claims", None, 204, **headers)
    assert trainer.claim(CLAIM) == Nothing(reason, 3.0)


def test_claim_without_headers_is_asked_again_soon(trainer, coordinator) -> None:
    coordinator.says("POST", "/api/claims", None, 204)
    nothing = trainer.claim(CLAIM)
    assert isinstance(nothing, Nothing)
    assert 0 < nothing.retry_after_seconds < 10


@pytest.mark.parametrize(
    "headers", [{"Nighttrain-Reason": "moon"}, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}]
)
def test_claim_with_headers_of_another_language_is_refused(trainer, coordinator, headers) -> None:
    coordinator.says("POST", "/api/claims", None, 204, **headers)
    with pytest.raises(ConfigurationError, match="headers of another language"):
        trainer.claim(CLAIM)


def test_every_write_on_a_lease_names_it(trainer, coordinator, server) -> None:
    checkpoint = Checkpoint(inputs="0f", folds=())
    finish = Finish(result=REPORT, seconds=1.5, peak_memory_bytes=7)
    failure = Failure(
        cause=Cause.OOM, message="m", evidence="e", seconds=1.0, peak_memory_bytes=1, memory_limit_bytes=2
    )
    release = Release(cause=Cause.STOPPED, seconds=1.0, peak_memory_bytes=1)
    coordinator.says("POST", "/api/leases/L1/renewals", {"directive": "release", "expires_in_seconds": 30})
    coordinator.says("POST", "/api/leases/L1/failure", {"state": "queued", "retry_in_seconds": 2.5})
    for method, path in (("PUT", "checkpoint"), ("PUT", "artifact"), ("POST", "finish"), ("POST", "release")):
        coordinator.says(method, f"/api/leases/L1/{path}", None, 204)

    assert trainer.renew("L1", Renewal(progress=PROGRESS)).directive is Directive.RELEASE
    trainer.save_checkpoint("L1", checkpoint)
    trainer.upload_artifact("L1", b"\x80pickle", "abc")
    trainer.finish("L1", finish)
    assert trainer.fail("L1", failure).retry_in_seconds == 2.5
    trainer.release("L1", release)

    renewed, saved, uploaded, finished, failed, released = server.asked
    assert Renewal.model_validate_json(renewed.body).progress == PROGRESS
    assert Checkpoint.model_validate_json(saved.body) == checkpoint
    assert uploaded.body == b"\x80pickle"
    assert uploaded.headers["Content-Type"] == "application/octet-stream"
    assert uploaded.headers[SHA256_HEADER] == "abc"
    assert Finish.model_validate_json(finished.body) == finish
    assert Failure.model_validate_json(failed.body) == failure
    assert Release.model_validate_json(released.body) == release


def test_a_lost_lease_is_told(trainer, coordinator) -> None:
    body = json.dumps(StaleLeaseError("lease L1 is not held").problem()).encode()
    problem = Reply(409, body, {"Content-Type": "application/problem+json"})
    coordinator.script["POST", "/api/leases/L1/release"] = problem
    with pytest.raises(StaleLeaseError):
        trainer.release("L1", Release(cause=Cause.STOPPED, seconds=1.0, peak_memory_bytes=1))


RUN = {
    "id": 4,
    "state": "running",
    "config": NightSettings().grid_config(),
    "synthetic": False,
    "created": datetime(2024, 1, 1, tzinfo=UTC).isoformat(),
    "finished": None,
    "surveys": {"queued": 6},
    "training": {"queued": 108},
    "progress_ratio": 0.0,
    "promoted": 0,
    "results_path": "",
}

STEERED = {
    "action": "cancel",
    "run": 4,
    "job": None,
    "changed": True,
    "preview": False,
    "jobs": 108,
    "folds_saved": 0,
    "words": "night 4 is cancelled",
}


def test_a_run_is_made_read_listed_and_cancelled(operator, coordinator, server) -> None:
    coordinator.says("POST", "/api/runs", RUN, 201)
    coordinator.says("GET", "/api/runs/4", RUN)
    coordinator.says("GET", "/api/runs", {"total": 1, "limit": 5, "offset": 0, "runs": [RUN]})
    coordinator.says("POST", "/api/runs/4/cancel", STEERED)
    request = RunRequest(config=GridConfig(**NightSettings().grid_config()))
    run, made = operator.create_run(request)
    assert (run.training.total, made) == (108, True)
    assert RunRequest.model_validate_json(server.asked[0].body) == request
    assert operator.run(4).id == 4
    assert operator.runs(limit=5).total == 1
    assert server.asked[-1].path == "/api/runs?limit=5"
    assert operator.steer_run(4, Action.CANCEL, Order(by="anna")).changed
    assert server.asked[-1].headers[KEY_HEADER] and server.asked[-1].headers["User-Agent"] == "nighttrain"


def test_results_that_are_not_there_yet_are_not_found(operator) -> None:
    with pytest.raises(NotFoundError):
        operator.results(4)


def test_jobs_are_filtered_and_paged(operator, coordinator, server) -> None:
    coordinator.says("GET", "/api/jobs", {"total": 0, "limit": 10, "offset": 20, "jobs": []})
    operator.jobs(run=4, state=JobState.FAILED, kind=JobKind.TRAINING, symbol="BTCUSDT", limit=10, offset=20)
    query = sorted(server.asked[0].path.partition("?")[2].split("&"))
    assert query == ["kind=training", "limit=10", "offset=20", "run=4", "state=failed", "symbol=BTCUSDT"]


def test_a_coordinator_that_starts_is_not_ready(operator, coordinator) -> None:
    coordinator.script["GET", "/readyz"] = Reply(503, b"", {})
    with pytest.raises(UnavailableError):
        operator.ready()
    coordinator.says("GET", "/readyz", {"status": "ok", "detail": ""})
    assert operator.ready().status == "ok"


def test_reading_needs_no_token(coordinator, server) -> None:
    coordinator.says("GET", "/healthz", {"status": "ok", "detail": ""})
    with OperatorClient(server.url, None) as client:
        assert client.health().status == "ok"
    assert "Authorization" not in server.asked[0].headers


def test_no_word_of_an_answer_moves_a_cursor_or_begins_a_line(operator, coordinator) -> None:
    coordinator.says("GET", "/healthz", {"status": "ok", "detail": "up\x1b[2J\n\tnow\u202e\x9b"})
    assert operator.health().detail == "up\\x1b[2J\n\tnow\\u202e\\x9b"
    problem = NotFoundError("no\x1b[2J\nnighttrain: all is well", "go\raway").problem()
    content = {"Content-Type": "application/problem+json"}
    coordinator.script["GET", "/api/runs/4"] = Reply(404, json.dumps(problem).encode(), content)
    with pytest.raises(NotFoundError) as said:
        operator.run(4)
    assert str(said.value) == "no\\x1b[2J\\nnighttrain: all is well (go\\raway)"
    coordinator.says("GET", "/api/runs/4", {"a\x1b]0;owned\x07": 1})
    with pytest.raises(ConfigurationError) as said:
        operator.run(4)
    assert str(said.value).isprintable()
