"""The web application: who may ask, what is answered, and that every error is a problem."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import Mock

import httpx
import pytest
from pydantic import BaseModel
from sqlalchemy.exc import DataError, OperationalError

from common.errors import ERRORS, PROBLEM_MEDIA_TYPE, StorageError, from_problem
from common.protocol.job_views import JobDetail, JobPage
from common.protocol.results import Results
from common.protocol.runs import RunPage, RunRequest, RunView
from common.protocol.status import Health, StatusDocument
from common.protocol.trainers import (
    MAX_ARTIFACT_BYTES,
    REASON_HEADER,
    SHA256_HEADER,
    Grant,
    RenewalAnswer,
    Welcome,
)
from coordinator.api.middleware import MAX_DOCUMENT_BYTES
from coordinator.app import make_app
from coordinator.assembly import Parts, assemble
from coordinator.store.database import Database
from tests.coordinator.conftest import served
from tests.coordinator.specimens import (
    Clock,
    checkpoint,
    claim,
    digest,
    failure,
    finish,
    grid,
    hello,
    release,
    renewal,
    settings,
    survey_report,
    training_report,
)

TOKEN = "the-token-of-these-tests-is-long-enough"
JSON = {"Content-Type": "application/json"}
Serve = Callable[..., httpx.Client]


@pytest.fixture
def parts(database_url: str, clock: Clock, tmp_path: Path) -> Iterator[Parts]:
    database = Database(database_url, clock)
    yield assemble(database, settings(), tmp_path, TOKEN, True, Random(1))
    database.close()


@pytest.fixture
def serve(parts: Parts) -> Iterator[Serve]:
    """Serves parts on a free port of this machine, and returns a client of them."""
    with ExitStack() as stack:

        def make(changed: Parts = parts, token: str = TOKEN) -> httpx.Client:
            app = make_app(changed)
            url = stack.enter_context(served(app))
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            hooks = {"response": [documented(app.openapi())]}
            return stack.enter_context(
                httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False, event_hooks=hooks)
            )

        yield make


def documented(document: dict[str, Any]) -> Callable[[httpx.Response], None]:
    """Returns a check that the OpenAPI document tells of the status of an answer."""
    routes = [
        (re.compile(re.sub(r"{\w+}", r"\\w+", path)), {verb.upper(): verbs[verb] for verb in verbs})
        for path, verbs in document["paths"].items()
    ]

    def check(response: httpx.Response) -> None:
        request = response.request
        for path, operations in routes:
            if path.fullmatch(request.url.path) and request.method in operations:
                told = operations[request.method]["responses"]
                assert str(response.status_code) in told, f"{request.method} {request.url}"

    return check


@pytest.fixture
def client(serve: Serve) -> httpx.Client:
    return serve()


@pytest.fixture
def anonymous(serve: Serve) -> httpx.Client:
    return serve(token="")


def body(message: BaseModel) -> dict[str, Any]:
    return {
        "content": message.model_dump_json(by_alias=True),
        "headers": {"Content-Type": "application/json"},
    }


def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM_MEDIA_TYPE
    document: dict[str, Any] = response.json()
    assert document["type"] == f"urn:nighttrain:error:{code}" and document["status"] == status
    assert type(from_problem(document)) is ERRORS[code]
    return document


def begin(client: httpx.Client) -> int:
    response = client.post("/api/runs", **body(RunRequest(config=grid(symbols=("BTCUSDT",)))))
    assert response.status_code == 201, response.text
    return RunView.model_validate_json(response.content).id


def granted(client: httpx.Client) -> Grant:
    response = client.post("/api/claims", **body(claim("t1-boot")))
    assert response.status_code == 200, response.text
    return Grant.model_validate_json(response.content)


def trained(client: httpx.Client) -> int:
    """A run of one symbol, from its beginning to its last result, as a trainer does it."""
    run = begin(client)
    Welcome.model_validate_json(client.post("/api/trainers", **body(hello())).content)
    survey = granted(client)
    assert (
        client.post(
            f"/api/leases/{survey.lease_id}/finish", **body(finish(survey_report(survey.spec)))
        ).status_code
        == 204
    )
    for _ in range(4):
        grant = granted(client)
        lease = f"/api/leases/{grant.lease_id}"
        RenewalAnswer.model_validate_json(client.post(f"{lease}/renewals", **body(renewal())).content)
        assert client.put(f"{lease}/checkpoint", **body(checkpoint())).status_code == 204
        report, content = training_report(grant.spec)
        sha256 = report.manifest.pickle_sha256
        upload = client.put(f"{lease}/artifact", content=content, headers={SHA256_HEADER: sha256})
        assert upload.status_code == 204, upload.text
        assert client.post(f"{lease}/finish", **body(finish(report, sha256))).status_code == 204
    return run


# --- The way of a night -------------------------------------------------------------------------------------


def test_a_night_passes_over_http_from_its_beginning_to_its_results(
    client: httpx.Client, parts: Parts
) -> None:
    run = trained(client)
    assert client.get(f"/api/runs/{run}/results").status_code == 404
    nothing = client.post("/api/claims", **body(claim("t1-boot")))
    assert (nothing.status_code, nothing.headers[REASON_HEADER], nothing.headers["Retry-After"]) == (
        204,
        "empty",
        "1",
    )
    parts.housekeeping.tick()
    results = Results.model_validate_json(client.get(f"/api/runs/{run}/results").content)
    assert results.totals.promoted == 4
    status = StatusDocument.model_validate_json(client.get("/api/status").content)
    assert status.run is not None and status.run.promoted == 4
    assert RunPage.model_validate_json(client.get("/api/runs").content).runs[0] == status.run
    assert RunView.model_validate_json(client.get(f"/api/runs/{run}").content) == status.run
    page = JobPage.model_validate_json(client.get("/api/jobs").content)
    assert page.total == 5
    detail = JobDetail.model_validate_json(client.get(f"/api/jobs/{page.jobs[1].id}").content)
    assert detail.report is not None and detail.history[0].trainer == "t1"


def test_the_same_night_is_gone_on_with_and_another_is_a_conflict(client: httpx.Client) -> None:
    run = begin(client)
    again = client.post("/api/runs", **body(RunRequest(config=grid(symbols=("BTCUSDT",)))))
    assert again.status_code == 200 and again.json()["id"] == run
    other = client.post("/api/runs", **body(RunRequest(config=grid(symbols=("ETHUSDT",)))))
    assert "symbols (there ['BTCUSDT'], here ['ETHUSDT'])" in problem(other, 409, "conflict")["detail"]
    assert client.post(f"/api/runs/{run}/cancel").json()["state"] == "cancelled"


def test_failing_and_giving_back_are_answered(client: httpx.Client) -> None:
    begin(client)
    client.post("/api/trainers", **body(hello()))
    lease = granted(client).lease_id
    answer = client.post(f"/api/leases/{lease}/failure", **body(failure()))
    assert answer.json()["state"] == "queued" and answer.json()["retry_in_seconds"] >= 0
    problem(client.post(f"/api/leases/{lease}/release", **body(release())), 409, "stale-lease")


def test_jobs_can_be_filtered_and_paged(client: httpx.Client) -> None:
    run = trained(client)

    def found(**query: Any) -> list[tuple[str, str | None, int | None]]:
        page = JobPage.model_validate_json(client.get("/api/jobs", params=query).content)
        return [(job.symbol, job.timeframe, job.horizon) for job in page.jobs]

    assert found(kind="survey") == [("BTCUSDT", None, None)]
    assert found(timeframe="1h", horizon=3, symbol="btc/usdt", run=run) == [("BTCUSDT", "1h", 3)]
    assert found(state="failed") == [] and found(run=99) == [] and len(found(state="succeeded")) == 5
    assert found(limit=2, offset=1) == [("BTCUSDT", "15m", 1), ("BTCUSDT", "15m", 3)]
    for wrong in ({"state": "asleep"}, {"limit": 0}, {"limit": 501}, {"offset": -1}, {"horizon": "x"}):
        problem(client.get("/api/jobs", params=wrong), 422, "invalid-request")


# --- Who may ask --------------------------------------------------------------------------------------------

CHANGES = [
    ("POST", "/api/runs"),
    ("POST", "/api/runs/1/cancel"),
    ("POST", "/api/trainers"),
    ("POST", "/api/claims"),
    ("POST", "/api/leases/x/renewals"),
    ("PUT", "/api/leases/x/checkpoint"),
    ("PUT", "/api/leases/x/artifact"),
    ("POST", "/api/leases/x/finish"),
    ("POST", "/api/leases/x/failure"),
    ("POST", "/api/leases/x/release"),
]
READS = ["/api/status", "/api/runs", "/api/runs/1", "/api/runs/1/results", "/api/jobs", "/api/jobs/1"]


def test_whatever_changes_something_needs_the_token(anonymous: httpx.Client) -> None:
    for method, path in CHANGES:
        for sent in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {TOKEN[:-1]}"}):
            response = anonymous.request(method, path, content=b"{}", headers=sent)
            problem(response, 401, "unauthorized")
            assert response.headers["www-authenticate"] == "Bearer"
            assert TOKEN not in response.text


def test_the_list_of_what_needs_the_token_is_whole(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    changing = {
        (verb.upper(), path) for path, verbs in paths.items() for verb in verbs if verb not in ("get", "head")
    }
    listed = {(verb, path.replace("/x/", "/{lease}/").replace("/1/", "/{run}/")) for verb, path in CHANGES}
    assert {one for one in changing if "alerts" not in one[1]} == listed


def test_reading_is_open_on_loopback_and_closed_elsewhere(
    anonymous: httpx.Client, serve: Serve, parts: Parts
) -> None:
    outside = serve(replace(parts, loopback=False), token="")
    for path in READS:
        assert anonymous.get(path).status_code in (200, 404)
        problem(outside.get(path), 401, "unauthorized")
        assert outside.get(path, headers={"Authorization": f"Bearer {TOKEN}"}).status_code in (200, 404)


def test_a_page_whose_name_points_here_is_refused(anonymous: httpx.Client) -> None:
    for host in ("evil.example", "evil.example:5000", "127.0.0.1.evil.example", "", "192.168.1.5:5000"):
        problem(anonymous.get("/api/status", headers={"Host": host}), 422, "invalid-request")
    for host in ("127.0.0.1:5000", "localhost", "LOCALHOST:5000", "[::1]:5000", "127.0.0.1"):
        assert anonymous.get("/healthz", headers={"Host": host}).status_code == 200


def test_outside_of_loopback_any_name_will_do(serve: Serve, parts: Parts) -> None:
    outside = serve(replace(parts, loopback=False))
    assert outside.get("/healthz", headers={"Host": "coordinator:5000"}).status_code == 200


# --- Errors -------------------------------------------------------------------------------------------------


def test_every_error_is_a_problem(client: httpx.Client, parts: Parts) -> None:
    problem(client.get("/nowhere"), 404, "not-found")
    problem(client.get("/api/jobs/99"), 404, "not-found")
    problem(client.post("/api/claims", **body(claim("nobody"))), 404, "not-found")
    problem(client.post("/api/leases/x/renewals", **body(renewal())), 409, "stale-lease")
    odd = client.delete("/api/status")
    assert odd.status_code == 405 and odd.headers["content-type"] == PROBLEM_MEDIA_TYPE
    assert odd.headers["allow"] == "GET" and odd.json()["title"] == "Method Not Allowed"


def test_a_request_that_does_not_fit_is_told_where(client: httpx.Client) -> None:
    broken = client.post("/api/claims", content=b"{", headers={"Content-Type": "application/json"})
    problem(broken, 422, "invalid-request")
    wrong = grid().model_dump(mode="json") | {"timeframes": ["7m"]}
    told = problem(client.post("/api/runs", json={"config": wrong}), 422, "invalid-request")["detail"]
    assert told.startswith("body.config: timeframes: '7m' is no timeframe; use some of 1m, 3m")
    extra = problem(client.post("/api/runs", json={"config": {}, "frsh": True}), 422, "invalid-request")[
        "detail"
    ]
    assert "body.config.symbols: Field required" in extra and "body.frsh: Extra inputs" in extra


def test_a_defect_is_logged_and_tells_nothing_of_the_inside(
    client: httpx.Client, parts: Parts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise RuntimeError("the password is 1234")

    monkeypatch.setattr(parts.status, "document", broken)
    told = problem(client.get("/api/status"), 500, "internal")
    assert "1234" not in str(told) and "Traceback" not in str(told)
    assert "the password is 1234" in caplog.text and "Traceback" in caplog.text


def test_a_database_that_fails_is_told_apart(
    client: httpx.Client, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    for reason, status, code in (
        ("database or disk is full", 507, "storage"),
        ("attempt to write a readonly database", 507, "storage"),
        ("database is locked", 503, "unavailable"),
        ("connection refused", 503, "unavailable"),
    ):
        broken = OperationalError("SELECT secret", {}, Exception(reason))
        monkeypatch.setattr(parts.status, "document", Mock(side_effect=broken))
        assert "secret" not in str(problem(client.get("/api/status"), status, code))


def test_bodies_have_a_limit(client: httpx.Client) -> None:
    large = {"content": b"x" * (MAX_DOCUMENT_BYTES + 1), "headers": JSON}
    problem(client.post("/api/claims", **large), 413, "too-large")
    begin(client)
    client.post("/api/trainers", **body(hello()))
    lease = granted(client).lease_id
    for size, status in ((MAX_ARTIFACT_BYTES, 204), (MAX_ARTIFACT_BYTES + 1, 413)):
        content = b"x" * size
        headers = {SHA256_HEADER: digest("x" * size)}
        assert (
            client.put(f"/api/leases/{lease}/artifact", content=content, headers=headers).status_code
            == status
        )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"memory_limit_bytes":2147483648', '"memory_limit_bytes":9223372036854775808'),
        ('"host":"host-a"', r'"host":"\ud800"'),
        ('"name":"t1"', r'"name":"\udfff"'),
    ],
)
def test_what_no_database_can_hold_is_an_invalid_request(
    client: httpx.Client, caplog: pytest.LogCaptureFixture, old: str, new: str
) -> None:
    sent = hello("t1").model_dump_json()
    assert old in sent
    answer = client.post("/api/trainers", content=sent.replace(old, new), headers=JSON)
    told = problem(answer, 422, "invalid-request")["detail"]
    assert told.startswith("the request has a value that cannot be stored: ") and "INSERT" not in told
    [record] = [one for one in caplog.records if one.name == "coordinator.api.errors"]
    assert record.getMessage().startswith("POST /api/trainers: a value cannot be stored: ")


def test_a_filter_that_no_database_can_hold_is_no_defect(client: httpx.Client) -> None:
    # PostgreSQL takes no NUL in a text; SQLite does, and finds nothing.
    answer = client.get("/api/jobs?symbol=%00")
    if answer.status_code != 200:
        problem(answer, 422, "invalid-request")


TOO_LARGE = OverflowError("Python int too large to convert to SQLite INTEGER")
HALF = UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")


@pytest.mark.parametrize(
    "error",
    [
        OverflowError("date value out of range"),
        TOO_LARGE,
        DataError("SELECT secret", {}, Exception("integer out of range")),
        HALF,
    ],
)
def test_what_no_request_brought_is_a_defect(
    client: httpx.Client,
    parts: Parts,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    monkeypatch.setattr(parts.status, "document", Mock(side_effect=error))
    told = problem(client.get("/api/status"), 500, "internal")["detail"]
    assert told == f"a defect of the coordinator: {type(error).__name__}"
    assert "Traceback" in caplog.text and str(error).partition("\n")[0] in caplog.text


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OverflowError("date value out of range"), 500),
        (UnicodeEncodeError("latin-1", "\u20ac", 0, 1, "ordinal not in range(256)"), 500),
        (TOO_LARGE, 422),
        (HALF, 422),
    ],
)
def test_with_a_body_too_only_what_is_bound_is_the_fault_of_the_request(
    client: httpx.Client, parts: Parts, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    monkeypatch.setattr(parts.queue, "register", Mock(side_effect=error))
    answer = client.post("/api/trainers", **body(hello()))
    problem(answer, status, "internal" if status == 500 else "invalid-request")


def test_a_number_that_is_none_is_an_invalid_request(client: httpx.Client) -> None:
    client.post("/api/trainers", **body(hello("t1", "t1-boot")))
    sent = claim("t1-boot").model_dump_json()
    for text in ("NaN", "Infinity", "1e999"):
        content = sent.replace('"cpu_ratio":0.5', f'"cpu_ratio":{text}')
        problem(client.post("/api/claims", content=content, headers=JSON), 422, "invalid-request")


def test_a_model_that_changed_on_its_way_is_refused(client: httpx.Client) -> None:
    begin(client)
    client.post("/api/trainers", **body(hello()))
    lease = granted(client).lease_id
    sent = client.put(
        f"/api/leases/{lease}/artifact", content=b"a modem", headers={SHA256_HEADER: digest("a model")}
    )
    assert digest("a modem") in problem(sent, 422, "digest-mismatch")["detail"]
    problem(client.put(f"/api/leases/{lease}/artifact", content=b"a model"), 422, "invalid-request")


def test_a_full_disk_harms_no_job(
    client: httpx.Client, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = StorageError(
        "/out/artifacts/blobs/abc cannot be written: No space left on device", "free some space"
    )
    begin(client)
    client.post("/api/trainers", **body(hello()))
    lease = granted(client).lease_id
    monkeypatch.setattr(parts.artifacts, "store", Mock(side_effect=full))
    sent = client.put(f"/api/leases/{lease}/artifact", content=b"m", headers={SHA256_HEADER: digest("m")})
    assert "/out/artifacts/blobs/abc" in problem(sent, 507, "storage")["detail"]
    monkeypatch.undo()
    sent = client.put(f"/api/leases/{lease}/artifact", content=b"m", headers={SHA256_HEADER: digest("m")})
    assert sent.status_code == 204


# --- Health -------------------------------------------------------------------------------------------------


def test_health_and_readiness(client: httpx.Client, parts: Parts) -> None:
    assert Health.model_validate_json(client.get("/healthz").content).status == "ok"
    assert client.get("/readyz").json()["detail"].startswith("database at schema 0")
    with parts.database.write() as tx:
        tx.connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'old'")
    problem(client.get("/readyz"), 503, "unavailable")
    assert client.get("/healthz").status_code == 200
