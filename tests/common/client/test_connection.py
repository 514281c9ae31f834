import json
import socket
import threading
from pathlib import Path

import certifi
import pytest

from common.client import connection
from common.client.connection import Backoff, Connection, retry
from common.errors import (
    ERRORS,
    PROBLEM_MEDIA_TYPE,
    ConfigurationError,
    DataError,
    NighttrainError,
    StaleLeaseError,
    StorageError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
)
from common.protocol.status import Health
from tests.common.scripted_server import Reply, ScriptedServer

TOKEN = "a-token-of-more-than-thirty-two-letters"
OK = b'{"status": "ok", "detail": "fine"}'


@pytest.fixture
def token(tmp_path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def connect(token):
    opened = []

    def make(url: str) -> Connection:
        opened.append(Connection(url, token))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def test_a_request_carries_token_body_and_query_and_the_answer_is_read(connect) -> None:
    with ScriptedServer(lambda asked: Reply(body=OK)) as server:
        line = connect(server.url + "/")
        sent = Health(status="ok", detail="?")
        answer = line.send("POST", "/api/x", sent, query={"limit": 3, "offset": None, "state": "queued"})
        assert answer.read(Health) == Health(status="ok", detail="fine")
    (asked,) = server.asked
    assert asked.path == "/api/x?limit=3&state=queued"
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["Content-Type"] == "application/json"
    assert asked.json == {"status": "ok", "detail": "?"}


def test_connections_are_kept_alive(connect) -> None:
    with ScriptedServer(lambda asked: Reply(body=OK)) as server:
        line = connect(server.url)
        for _ in range(5):
            line.send("GET", "/")
        assert server.connections == 1


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_a_problem_becomes_the_exception_it_was_made_from(connect, error) -> None:
    body = json.dumps(error("said", "do this").problem("/x")).encode()
    headers = {"Content-Type": f"{PROBLEM_MEDIA_TYPE}; charset=utf-8"}
    with ScriptedServer(lambda asked: Reply(error.kind.status, body, headers)) as server:
        with pytest.raises(error, match=r"said \(do this\)") as caught:
            connect(server.url).send("PUT", "/x", content=b"123")
        assert type(caught.value) is error


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (500, UnavailableError),
        (502, UnavailableError),
        (503, UnavailableError),
        (401, UnauthorizedError),
        (403, UnauthorizedError),
        (404, ConfigurationError),
        (405, ConfigurationError),
        (302, ConfigurationError),
    ],
)
def test_a_bare_status_is_told_by_its_number(connect, status, error) -> None:
    headers = {"Content-Type": "text/html", "Location": "http://127.0.0.1:1/"}
    with (
        ScriptedServer(lambda asked: Reply(status, b"<h1>no</h1>", headers)) as server,
        pytest.raises(error, match=rf"/x answered GET with {status}"),
    ):
        connect(server.url).send("GET", "/x")


@pytest.mark.parametrize("body", [b"[1]", b"not json", b"\xff"])
def test_a_damaged_problem_is_told_by_its_status(connect, body) -> None:
    with (
        ScriptedServer(lambda asked: Reply(500, body, {"Content-Type": PROBLEM_MEDIA_TYPE})) as server,
        pytest.raises(UnavailableError),
    ):
        connect(server.url).send("GET", "/x")


@pytest.mark.parametrize("body", [b"{}", b"<html>", b'{"status": "bad", "detail": ""}', b""])
def test_an_answer_of_another_language_is_said_to_be_one(connect, body) -> None:
    with (
        ScriptedServer(lambda asked: Reply(body=body)) as server,
        pytest.raises(
            ConfigurationError,
            match=r"that is not a Health: .*\(is it a coordinator of the same version",
        ),
    ):
        connect(server.url).send("GET", "/healthz").read(Health)


def test_a_closed_port_is_unavailable(connect) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(
            UnavailableError, match=rf"the coordinator at {url} does not answer: .*is it running"
        ):
            connect(url).send("GET", "/")


def test_a_connection_that_breaks_is_unavailable(connect) -> None:
    with ScriptedServer(lambda asked: None) as server, pytest.raises(UnavailableError):
        connect(server.url).send("GET", "/")


def test_a_server_that_does_not_answer_is_unavailable_in_time(connect, monkeypatch) -> None:
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.2)
    done = threading.Event()

    def never(asked: object) -> Reply:
        done.wait(10.0)
        return Reply()

    with ScriptedServer(never) as server:
        with pytest.raises(UnavailableError):
            connect(server.url).send("GET", "/")
        done.set()


def test_what_does_not_speak_http_is_unavailable(connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def speak() -> None:
            with listener.accept()[0] as other:
                other.sendall(b"SSH-2.0-OpenSSH_9\r\n")
                other.recv(4096)

        thread = threading.Thread(target=speak)
        thread.start()
        with pytest.raises(UnavailableError):
            connect(f"http://127.0.0.1:{listener.getsockname()[1]}").send("GET", "/")
        thread.join(5.0)


def test_a_body_without_end_is_cut_off(connect, monkeypatch) -> None:
    monkeypatch.setattr(connection, "MAX_ANSWER_BYTES", 1000)
    with (
        ScriptedServer(lambda asked: Reply(body=b"x" * 1001)) as server,
        pytest.raises(TooLargeError, match="more than 1000 bytes"),
    ):
        connect(server.url).send("GET", "/")


@pytest.mark.parametrize("url", ["localhost:5000", "ftp://host", "http://", "http://host:port", "", "/x"])
def test_an_address_that_is_none_is_refused_before_anything_is_sent(token, url) -> None:
    with pytest.raises(ConfigurationError, match="write it as http://HOST:PORT"):
        Connection(url, token)


def test_a_proxy_in_the_environment_is_left_aside(connect, monkeypatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with ScriptedServer(lambda asked: Reply(body=OK)) as server:
        assert connect(server.url).send("GET", "/").status == 200


# --- backoff


def test_waits_grow_exponentially_up_to_the_cap_with_full_jitter() -> None:
    bounds: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        bounds.append((low, high))
        return high

    backoff = Backoff(base=0.5, cap=5.0, uniform=uniform)
    assert [backoff.wait() for _ in range(6)] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert all(low == 0.0 for low, _ in bounds)
    backoff.reset()
    assert backoff.wait() == 0.5


def test_waits_are_different_and_within_bounds() -> None:
    backoff = Backoff()
    waits = [backoff.wait() for _ in range(2000)]
    assert all(0.0 <= wait <= 5.0 for wait in waits)
    assert len(set(waits)) > 1900


def test_retry_goes_on_until_it_is_accepted() -> None:
    outcomes: list[NighttrainError | str] = [UnavailableError("away"), StorageError("full"), "done"]
    waited: list[float] = []
    said: list[NighttrainError] = []

    def call() -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, NighttrainError):
            raise outcome
        return outcome

    def gave_up(seconds: float) -> bool:
        waited.append(seconds)
        return False

    assert retry(call, gave_up, Backoff(uniform=lambda low, high: high), said.append) == "done"
    assert waited == [0.2, 0.4]
    assert [error.detail for error in said] == ["away", "full"]


def test_retry_gives_up_when_told_to() -> None:
    def call() -> str:
        raise UnavailableError("away")

    assert retry(call, lambda seconds: True, Backoff(), lambda error: None) is None


@pytest.mark.parametrize("error", [StaleLeaseError, UnauthorizedError, DataError, ConfigurationError])
def test_retry_does_not_repeat_what_will_not_change(error) -> None:
    calls = []

    def call() -> str:
        calls.append(1)
        raise error("no")

    with pytest.raises(error):
        retry(call, lambda seconds: False, Backoff(), lambda error: None)
    assert len(calls) == 1


NEW = "another-token-of-more-than-thirty-two-letters"


def refused() -> Reply:
    body = json.dumps(UnauthorizedError("the bearer token is wrong").problem()).encode()
    return Reply(401, body, {"Content-Type": PROBLEM_MEDIA_TYPE})


def test_a_token_that_was_replaced_is_read_again_and_the_request_sent_once_more(connect, token) -> None:
    def answered(asked) -> Reply:
        if asked.headers["Authorization"] == f"Bearer {NEW}":
            return Reply(body=OK)
        return refused()

    with ScriptedServer(answered) as server:
        line = connect(server.url)
        token.write_text(NEW)
        line.send("POST", "/api/x", Health(status="ok", detail="?"))
        line.send("POST", "/api/x", Health(status="ok", detail="?"))
    shown = [asked.headers["Authorization"] for asked in server.asked]
    assert shown == [f"Bearer {TOKEN}", f"Bearer {NEW}", f"Bearer {NEW}"]
    assert server.asked[0].json == server.asked[1].json


@pytest.mark.parametrize("content", [TOKEN, "", None])
def test_a_token_that_is_refused_and_the_same_is_not_shown_again(connect, token, content) -> None:
    with ScriptedServer(lambda asked: refused()) as server:
        line = connect(server.url)
        token.unlink() if content is None else token.write_text(content)
        with pytest.raises(UnauthorizedError, match="is wrong"):
            line.send("POST", "/api/x")
    assert len(server.asked) == 1


def test_the_certificates_of_authorities_are_looked_for_for_tls_alone(connect, monkeypatch) -> None:
    looked_for = []
    found = certifi.where
    monkeypatch.setattr(certifi, "where", lambda: looked_for.append(1) or found())
    connect("http://127.0.0.1:1")
    assert looked_for == []
    connect("https://127.0.0.1:1")
    assert looked_for == [1]
