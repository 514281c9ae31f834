"""Who may ask what where: a network that is trusted like the loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import httpx
import pytest

from coordinator.app import make_app
from coordinator.assembly import assemble
from coordinator.store.database import Database
from tests.coordinator.conftest import served
from tests.coordinator.specimens import Clock, settings

TOKEN = "a-token-of-more-than-thirty-two-letters"


@pytest.fixture
def url(database_url: str, clock: Clock, tmp_path: Path) -> Iterator[str]:
    """A coordinator that listens to a network on which it is called `coordinator`."""
    database = Database(database_url, clock)
    parts = assemble(database, settings(), tmp_path, TOKEN, False, Random(1), ("Coordinator",))
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
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert httpx.post(url + "/api/alerts", json=body, headers=headers, trust_env=False).status_code == 204
