"""The PostgreSQL server is restarted in the middle of a night: a coordinator says so, and goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from common.client.client import OperatorClient
from common.protocol.runs import RunRequest, RunState
from coordinator.store.database import Database
from tests.coordinator.crew import Crew, assert_whole
from tests.coordinator.process import Process, eventually
from tests.coordinator.specimens import grid
from tests.postgres import Server, programs


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of this test's own, for others need theirs."""
    folder = programs()
    if folder is None:
        pytest.skip("no PostgreSQL server is installed")
    server = Server(folder)
    yield server
    server.close()


def test_a_night_goes_on_after_its_database_was_away(server: Server, tmp_path: Path) -> None:
    config, out = tmp_path / "night.yaml", tmp_path / "out"
    config.write_text(f"database_url: {server.url}\n")
    process = Process(out, config=config)
    try:
        url = process.ready().url
        with OperatorClient(url, out / "token") as operator:
            run, _ = operator.create_run(RunRequest(config=grid()))
            crew = Crew([url], out / "trainer_token", trainers=4)
            try:
                crew.work(4)
                server.stop()
                answer = httpx.get(f"{url}/api/status", timeout=30, trust_env=False)
                assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
                assert "the database does not answer" in answer.json()["detail"]
                server.start()
                crew.work(2)
                crew.work_on()
                eventually(lambda: operator.run(run.id).state is RunState.DONE or None)
            finally:
                crew.end()
            # What failed meanwhile is tried again after a pause, and then works again.
            eventually(lambda: not any("database" in one for one in operator.status().warnings) or None)
    finally:
        process.kill()
    database = Database(server.url)
    assert_whole(database, run.id)
    database.close()
