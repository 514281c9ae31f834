"""What the coordinator's process counts of itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from common.protocol.trainers import NoWork
from coordinator.app import make_app
from coordinator.assembly import Parts, assemble
from coordinator.store.database import Database
from tests.coordinator.conftest import served
from tests.coordinator.metrics.scraped import Scrape, surveyed
from tests.coordinator.specimens import (
    Clock,
    Night,
    checkpoint,
    claim,
    failure,
    hello,
    renewal,
    settings,
)
from tests.coordinator.wire import OfTheRole, tokens


@pytest.fixture
def parts(database_url: str, clock: Clock, tmp_path: Path) -> Iterator[Parts]:
    database = Database(database_url, clock)
    yield assemble(database, settings(), tmp_path, tokens(), True, Random(1))
    database.close()


@pytest.fixture
def client(parts: Parts) -> Iterator[httpx.Client]:
    with (
        served(make_app(parts)) as url,
        httpx.Client(base_url=url, auth=OfTheRole(), trust_env=False) as opened,
    ):
        yield opened


@pytest.fixture
def night_of(parts: Parts, tmp_path: Path) -> Night:
    return Night(parts.database, settings(), tmp_path)


def post(client: httpx.Client, path: str, message: Any, method: str = "POST") -> httpx.Response:
    headers = {"Content-Type": "application/json"}
    return client.request(method, path, content=message.model_dump_json(), headers=headers)


def scrape_of(client: httpx.Client) -> Scrape:
    return Scrape(client.get("/metrics").raise_for_status().text)


# On PostgreSQL it is elected first, by a loop that does not go on here.
@pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)
def test_a_coordinator_says_by_its_name_whether_it_leads(parts: Parts, client: httpx.Client) -> None:
    assert scrape_of(client)("coordinator_leads", coordinator="") == 1


def test_what_leases_are_used_for_is_counted(client: httpx.Client, night_of: Night) -> None:
    boot = surveyed(night_of)
    lease = night_of.grant(boot).lease_id
    assert post(client, f"/api/leases/{lease}/renewals", renewal()).status_code == 200
    assert post(client, f"/api/leases/{lease}/checkpoint", checkpoint(), "PUT").status_code == 204
    night_of.cancel(1)
    # Whoever renews a cancelled job is told so; nothing is renewed by that.
    assert post(client, f"/api/leases/{lease}/renewals", renewal()).status_code == 200
    for _ in range(2):
        assert post(client, f"/api/leases/{lease}/checkpoint", checkpoint(), "PUT").status_code == 409
    assert post(client, f"/api/leases/{lease}/failure", failure()).status_code == 409
    scrape = scrape_of(client)
    assert (scrape("renewals_total"), scrape("checkpoint_writes_total")) == (1, 1)
    late = {
        operation: scrape("stale_writes_total", operation=operation)
        for operation in ("checkpoint", "failure", "finish")
    }
    assert late == {"checkpoint": 2, "failure": 1, "finish": 0}


def test_refused_claims_are_counted_by_reason(client: httpx.Client) -> None:
    post(client, "/api/trainers", hello())
    for _ in range(3):
        assert post(client, "/api/claims", claim("t1-boot")).status_code == 204
    scrape = scrape_of(client)
    assert scrape("admission_refusals_total", reason=NoWork.EMPTY) == 3
    assert scrape("admission_refusals_total", reason=NoWork.MEMORY_PRESSURE) == 0


def test_requests_are_timed_by_the_template_of_their_path(client: httpx.Client) -> None:
    client.get("/api/jobs/17")
    client.get("/api/jobs/18")
    client.get("/nowhere/at/all")
    client.get("/healthz", headers={"Host": "evil.example"})
    client.request("PROPFIND", "/api/status")
    scrape = scrape_of(client)

    def count(method: str, route: str, status: str) -> float | None:
        return scrape("http_request_duration_seconds_count", method=method, route=route, status=status)

    assert count("GET", "/api/jobs/{job}", "4xx") == 2
    assert count("GET", "unmatched", "4xx") == 2
    assert count("other", "/api/status", "4xx") == 1


def test_transactions_are_timed_by_what_they_do(client: httpx.Client) -> None:
    before = scrape_of(client)
    post(client, "/api/trainers", hello())
    after = scrape_of(client)
    grown = {
        mode: (after("database_transaction_duration_seconds_count", mode=mode) or 0)
        - (before("database_transaction_duration_seconds_count", mode=mode) or 0)
        for mode in ("read", "write")
    }
    assert grown == {"read": 1, "write": 1}
