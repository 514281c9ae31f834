"""Every error is a problem that says what happened and nothing of the inside."""

from __future__ import annotations

from functools import partial

import httpx
import pytest

from common.errors import PROBLEM_MEDIA_TYPE
from coordinator.api.errors import Problem
from coordinator.assembly import Parts
from coordinator.store.errors import translated
from tests.coordinator.specimens import claim, grid, hello, renewal
from tests.coordinator.wire import JSON, body, problem

TOO_LARGE = OverflowError("Python int too large to convert to SQLite INTEGER")
HALF = UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")


def test_every_error_is_a_problem(client: httpx.Client, parts: Parts) -> None:
    problem(client.get("/nowhere"), 404, "not-found")
    problem(client.get("/api/jobs/99"), 404, "not-found")
    problem(client.post("/api/claims", **body(claim("nobody"))), 404, "not-found")
    problem(client.post("/api/leases/x/renewals", **body(renewal())), 409, "stale-lease")
    odd = client.delete("/api/status")
    assert odd.status_code == 405 and odd.headers["content-type"] == PROBLEM_MEDIA_TYPE
    assert odd.headers["allow"] == "GET" and odd.json()["title"] == "Method Not Allowed"
    assert client.put("/api/runs").headers["allow"] == "GET, POST"


def test_a_path_that_does_not_exist_is_a_problem(client: httpx.Client) -> None:
    for path in ("/api/status/", "/api/runs/", "/api/runs/1/", "/nowhere", "/docs/", "/docs/core.py"):
        answer = client.get(path)
        assert answer.status_code == 404 and answer.headers["content-type"] == PROBLEM_MEDIA_TYPE, path
        assert Problem.model_validate_json(answer.content).instance == path
    for verb, path in (("DELETE", "/api/status"), ("GET", "/api/claims"), ("POST", "/docs")):
        answer = client.request(verb, path)
        assert answer.status_code == 405 and answer.headers["content-type"] == PROBLEM_MEDIA_TYPE, path
        assert Problem.model_validate_json(answer.content).title == "Method Not Allowed"


def test_a_body_that_is_no_text_is_refused_as_any_other(client: httpx.Client) -> None:
    for sent in (b'{"boot_id": "\xff"}', b"[" * 100_000, b"\x00"):
        answer = client.post("/api/claims", content=sent, headers=JSON)
        assert answer.status_code == 422, sent[:20]
        assert Problem.model_validate_json(answer.content).detail.startswith("body")


def test_a_request_that_does_not_fit_is_told_where(client: httpx.Client) -> None:
    broken = client.post("/api/claims", content=b"{", headers={"Content-Type": "application/json"})
    problem(broken, 422, "invalid-request")
    wrong = grid().model_dump(mode="json") | {"timeframes": ["7m"]}
    told = problem(client.post("/api/runs", json={"config": wrong}), 422, "invalid-request")["detail"]
    assert told.startswith("body.config: timeframes: '7m' is not a timeframe; use some of 1m, 3m")
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
    def full() -> None:
        with parts.database.write() as tx:
            pages = tx.connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            tx.connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
            tx.connection.exec_driver_sql("CREATE TABLE secret AS SELECT zeroblob(1000000)")

    if not parts.database.is_sqlite:
        pytest.skip("a full disk is made with a pragma of SQLite")
    monkeypatch.setattr(parts.status, "document", full)
    told = problem(client.get("/api/status"), 507, "storage")
    assert told["detail"] == "the database cannot be written: database or disk is full"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"memory_limit_bytes":2147483648', '"memory_limit_bytes":9223372036854775808'),
        ('"host":"host-a"', r'"host":"\ud800"'),
        ('"name":"t1"', r'"name":"\udfff"'),
        ('"name":"t1"', r'"na\ud800me":"t1"'),
    ],
)
def test_what_no_database_can_hold_is_an_invalid_request(client: httpx.Client, old: str, new: str) -> None:
    sent = hello("t1").model_dump_json()
    assert old in sent
    answer = client.post("/api/trainers", content=sent.replace(old, new), headers=JSON)
    told = problem(answer, 422, "invalid-request")["detail"]
    half = "half a character" in told or r"\ud" not in new
    assert told.startswith("body") and half and "INSERT" not in told


def test_a_whole_character_may_be_written_as_two_halves(client: httpx.Client) -> None:
    sent = hello("t1").model_dump_json().replace("host-a", r"\ud83d\ude00")
    assert client.post("/api/trainers", content=sent, headers=JSON).status_code == 200


@pytest.mark.parametrize("cause", [TOO_LARGE, HALF])
def test_what_no_request_brought_is_a_defect(
    client: httpx.Client,
    parts: Parts,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    cause: Exception,
) -> None:
    monkeypatch.setattr(parts.status, "document", partial(unstorable, cause))
    told = problem(client.get("/api/status"), 500, "internal")["detail"]
    assert told == f"a defect of the coordinator: {type(cause).__name__}"
    assert "Traceback" in caplog.text and str(cause).partition("\n")[0] in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        OverflowError("date value out of range"),
        UnicodeEncodeError("latin-1", "\u20ac", 0, 1, "ordinal not in range(256)"),
    ],
)
def test_with_a_body_too_what_the_database_did_not_refuse_is_a_defect(
    client: httpx.Client, parts: Parts, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def register(*_: object) -> None:
        with parts.database.write():
            raise error

    monkeypatch.setattr(parts.queue, "register", register)
    problem(client.post("/api/trainers", **body(hello())), 500, "internal")


def unstorable(cause: Exception) -> None:
    with translated():
        raise cause
