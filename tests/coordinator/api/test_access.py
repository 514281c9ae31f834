"""Who may ask what where, and what a query may hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import httpx
import pytest

from common.token_file import Role
from coordinator.app import make_app
from coordinator.assembly import Parts, assemble
from coordinator.credentials.throttle import FREE_FAILURES, LONGEST_PAUSE_SECONDS
from coordinator.store.database import Database
from tests.coordinator.conftest import served
from tests.coordinator.specimens import Clock, settings
from tests.coordinator.wire import TOKEN, Serve, problem, token_of, tokens

CHANGES = [
    ("POST", "/api/runs"),
    ("POST", "/api/runs/1/cancel"),
    ("POST", "/api/runs/1/pause"),
    ("POST", "/api/runs/1/resume"),
    ("POST", "/api/runs/1/retry"),
    ("POST", "/api/runs/1/end"),
    ("POST", "/api/runs/1/symbols/s/unpark"),
    ("POST", "/api/jobs/1/retry"),
    ("POST", "/api/jobs/1/cancel"),
    ("POST", "/api/jobs/1/next"),
    ("POST", "/api/jobs/1/promote"),
    ("POST", "/api/champions/c/rollback"),
    ("POST", "/api/trainers"),
    ("POST", "/api/claims"),
    ("POST", "/api/leases/x/renewals"),
    ("PUT", "/api/leases/x/checkpoint"),
    ("PUT", "/api/leases/x/artifact"),
    ("POST", "/api/leases/x/finish"),
    ("POST", "/api/leases/x/failure"),
    ("POST", "/api/leases/x/release"),
]
READS = [
    "/api/status",
    "/api/runs",
    "/api/runs/1",
    "/api/runs/1/results",
    "/api/jobs",
    "/api/jobs/1",
    "/api/audit",
]


def test_whatever_changes_something_needs_the_token(anonymous: httpx.Client, clock: Clock) -> None:
    for method, path in CHANGES:
        for sent in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {TOKEN[:-1]}"}):
            clock.advance(LONGEST_PAUSE_SECONDS)
            response = anonymous.request(method, path, content=b"{}", headers=sent)
            problem(response, 401, "unauthorized")
            assert response.headers["www-authenticate"] == "Bearer"
            assert TOKEN not in response.text


def test_each_role_changes_its_own_and_nothing_else(anonymous: httpx.Client) -> None:
    for method, path in [*CHANGES, ("POST", "/api/alerts")]:
        room = path.split("/")[2]
        trainers = room in ("trainers", "claims", "leases")
        needed = Role.TRAINER if trainers else Role.ALERTS if room == "alerts" else Role.OPERATOR
        for role in Role:
            headers = {"Authorization": f"Bearer {token_of(role)}"}
            response = anonymous.request(method, path, content=b"{}", headers=headers)
            if role is needed:
                assert response.status_code not in (401, 403, 429), (method, path)
            else:
                told = problem(response, 403, "forbidden")
                assert role.owner in told["detail"] and token_of(role) not in response.text


def test_beyond_the_machine_operators_and_readers_read_and_nobody_else(serve: Serve, parts: Parts) -> None:
    outside = serve(replace(parts, loopback=False), token="")
    for path in [*READS, "/metrics"]:
        for role in Role:
            status = outside.get(path, headers={"Authorization": f"Bearer {token_of(role)}"}).status_code
            assert (status == 403) is (role in (Role.TRAINER, Role.ALERTS)), (path, role)


def test_who_guesses_over_the_interface_waits_and_an_honest_neighbour_does_not(
    anonymous: httpx.Client, client: httpx.Client
) -> None:
    for _ in range(FREE_FAILURES):
        guess = anonymous.post("/api/runs", headers={"Authorization": "Bearer guess"})
        problem(guess, 401, "unauthorized")
    guess = anonymous.post("/api/runs", headers={"Authorization": "Bearer guess"})
    problem(guess, 429, "throttled")
    assert guess.headers["Retry-After"] == "2"
    assert client.post("/api/claims", content=b"{}").status_code == 422
    told = client.get("/metrics").text
    assert 'nighttrain_wrong_tokens_total{answer="refused"} 5.0' in told
    assert 'nighttrain_wrong_tokens_total{answer="throttled"} 1.0' in told


def test_the_list_of_what_needs_the_token_is_whole(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    changing = {
        (verb.upper(), path) for path, verbs in paths.items() for verb in verbs if verb not in ("get", "head")
    }
    named = {
        "/x/": "/{lease}/",
        "/s/": "/{symbol}/",
        "/c/": "/{cell}/",
        "runs/1/": "runs/{run}/",
        "jobs/1/": "jobs/{job}/",
    }
    listed = set()
    for verb, path in CHANGES:
        for shown, name in named.items():
            path = path.replace(shown, name)
        listed.add((verb, path))
    assert {one for one in changing if "alerts" not in one[1]} == listed


def test_reading_is_open_on_loopback_and_closed_elsewhere(
    anonymous: httpx.Client, serve: Serve, parts: Parts
) -> None:
    outside = serve(replace(parts, loopback=False), token="")
    for path in READS:
        assert anonymous.get(path).status_code in (200, 404)
        problem(outside.get(path), 401, "unauthorized")
        assert outside.get(path, headers={"Authorization": f"Bearer {TOKEN}"}).status_code in (200, 404)


@pytest.fixture
def url(database_url: str, clock: Clock, tmp_path: Path) -> Iterator[str]:
    """A coordinator that listens to a network on which it is called `coordinator`."""
    database = Database(database_url, clock)
    parts = assemble(database, settings(), tmp_path, tokens(TOKEN), False, Random(1), ("Coordinator",))
    with served(make_app(parts)) as address:
        yield address
    database.close()


class TestOnATrustedNetwork:
    def test_everybody_may_read_who_names_it(self, url: str) -> None:
        for path in ("/api/status", "/metrics", "/api/alerts", "/healthz", "/readyz"):
            for host in ("coordinator:5000", "COORDINATOR", "127.0.0.1:5000", "localhost:3", "[::1]:5000"):
                answer = httpx.get(url + path, headers={"Host": host}, trust_env=False)
                assert answer.status_code == 200, (path, host, answer.text)

    def test_another_name_is_refused(self, url: str) -> None:
        for host in ("evil.example", "coordinator.evil.example", "192.168.1.5:5000", ""):
            answer = httpx.get(url + "/api/status", headers={"Host": host}, trust_env=False)
            assert answer.status_code == 422, host
            assert "http://coordinator" in answer.json()["hint"]

    def test_changing_needs_the_token(self, url: str) -> None:
        body = {"version": "4", "alerts": []}
        assert httpx.post(url + "/api/alerts", json=body, trust_env=False).status_code == 401
        headers = {"Authorization": f"Bearer {token_of(Role.ALERTS)}"}
        assert httpx.post(url + "/api/alerts", json=body, headers=headers, trust_env=False).status_code == 204


def test_a_filter_that_is_given_twice_is_refused(client: httpx.Client) -> None:
    answer = client.get("/api/jobs?state=failed&state=queued")
    assert answer.status_code == 422
    assert answer.json()["detail"] == "query.state: it is given more than once"
