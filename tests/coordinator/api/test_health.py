"""What watches the process: any query will do, and HEAD."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from common.protocol.status import Health
from coordinator.assembly import Parts
from coordinator.scrapes import OVERDUE
from tests.coordinator.specimens import Clock
from tests.coordinator.wire import problem

UNCHECKED = ("/healthz", "/readyz", "/metrics")
"""Paths whose query is not looked at."""


def test_health_and_readiness(client: httpx.Client, parts: Parts) -> None:
    assert Health.model_validate_json(client.get("/healthz").content).status == "ok"
    assert client.get("/readyz").json()["detail"].startswith("database at schema 0")
    with parts.database.write() as tx:
        tx.connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'old'")
    problem(client.get("/readyz"), 503, "unavailable")
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("query", ["x=1", "verbose", "format=prometheus", "name[]=up&name[]=down"])
def test_what_watches_the_process_may_add_any_query(client: httpx.Client, query: str) -> None:
    for path in UNCHECKED:
        assert client.get(f"{path}?{query}").status_code == 200, path


def test_a_probe_may_ask_with_head(client: httpx.Client, document: dict[str, Any]) -> None:
    for path in ("/healthz", "/readyz"):
        assert "head" in document["paths"][path]
        asked, probed = client.get(path), client.head(f"{path}?probe=1")
        assert (probed.status_code, probed.content) == (200, b""), path
        assert probed.headers["content-length"] == str(len(asked.content))


def test_a_scrape_is_compressed_and_in_the_format_that_is_asked_for(client: httpx.Client) -> None:
    plain = client.get("/metrics", headers={"accept-encoding": "identity"})
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "content-encoding" not in plain.headers
    accept = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.4"
    packed = client.get("/metrics", headers={"accept": accept, "accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert packed.text.endswith("# EOF\n")
    assert int(packed.headers["content-length"]) < len(plain.content) / 3


def test_the_status_warns_once_prometheus_no_longer_scrapes(client: httpx.Client, parts: Parts) -> None:
    client.get("/metrics")
    assert not parts.scrapes.are_overdue
    client.get("/metrics", headers={"X-Prometheus-Scrape-Timeout-Seconds": "10"})
    clock = parts.database.clock
    assert isinstance(clock, Clock)
    clock.advance(OVERDUE.total_seconds() + 60)
    assert any("has not scraped" in warning for warning in client.get("/api/status").json()["warnings"])
