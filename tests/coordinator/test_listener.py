from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from random import Random
from statistics import median

import httpx
import pytest

from common.errors import ConfigurationError
from coordinator.app import make_app
from coordinator.assembly import assemble
from coordinator.listener import listen, url_of
from coordinator.store.database import Database
from tests.coordinator.conftest import served
from tests.coordinator.specimens import Clock, settings
from tests.coordinator.wire import tokens

TOKEN = "a-token-of-more-than-thirty-two-letters"


def test_any_free_port_can_be_taken_and_is_told() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert url_of(listener) == f"http://127.0.0.1:{port}"
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_a_taken_port_says_by_whom_and_how_to_take_another() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigurationError) as caught:
            listen("127.0.0.1", port)
    assert f"port {port} of 127.0.0.1 is taken by process {os.getpid()} (" in str(caught.value)
    assert "--port, dashboard.port or BT_NIGHT_DASHBOARD_PORT" in str(caught.value)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_an_address_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(ConfigurationError, match=host):
        listen(host, 0)


def test_an_address_for_all_is_reached_over_loopback() -> None:
    with listen("0.0.0.0", 0) as listener:
        assert url_of(listener).startswith("http://127.0.0.1:")


def test_no_answer_on_a_kept_connection_waits_for_an_acknowledgement(
    database_url: str, clock: Clock, tmp_path: Path
) -> None:
    database = Database(database_url, clock)
    parts = assemble(database, settings(), tmp_path, tokens(TOKEN), True, Random(1))
    took = []
    with served(make_app(parts)) as url, httpx.Client(base_url=url, trust_env=False) as client:
        for _ in range(50):
            began = time.perf_counter()
            assert client.get("/healthz").status_code == 200
            took.append(time.perf_counter() - began)
    database.close()
    assert median(took) < 0.010
