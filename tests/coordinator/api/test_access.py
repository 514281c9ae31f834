"""Who may ask what where: the token, given or made, and a network that is trusted like the loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import httpx
import pytest

from common.errors import ConfigurationError
from common.logs import CONCEALED, concealed
from coordinator.api.access import given_token, open_token
from coordinator.app import make_app
from coordinator.assembly import assemble
from coordinator.store.database import Database
from tests.coordinator.conftest import served
from tests.coordinator.specimens import Clock, settings

TOKEN = "a-token-of-more-than-thirty-two-letters"


class TestAGivenToken:
    def test_is_read_and_left_alone_and_concealed(self, tmp_path: Path) -> None:
        path = tmp_path / "token"
        path.write_text(TOKEN)
        path.chmod(0o440)
        assert given_token(path) == TOKEN
        assert path.stat().st_mode & 0o777 == 0o440
        assert concealed(f"got {TOKEN}") == f"got {CONCEALED}"

    @pytest.mark.parametrize(
        "content", [b"", b"\n", b"short", b"two words of more than 32 letters ", b"\xff" * 40]
    )
    def test_that_is_none_is_refused(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "token"
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match=r"the token file .*token"):
            given_token(path)
        assert path.read_bytes() == content

    def test_that_is_missing_is_refused_and_not_made(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="No such file"):
            given_token(tmp_path / "token")
        assert not list(tmp_path.iterdir())

    def test_may_be_one_that_was_made(self, tmp_path: Path) -> None:
        made = open_token(tmp_path / "token")
        assert given_token(tmp_path / "token") == made


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
