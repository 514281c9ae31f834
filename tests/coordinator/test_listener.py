from __future__ import annotations

import os
import socket

import pytest

from common.errors import ConfigurationError
from coordinator.listener import listen, url_of


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
