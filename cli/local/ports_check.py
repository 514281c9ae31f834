"""Whether ports are free, or taken by who should have them."""

from __future__ import annotations

import socket

import httpx

from cli.local.requirement import Requirement, failed, ok

ASK_SECONDS = 3.0

WHO = {
    "coordinator": "/healthz",
    "Grafana": "/api/health",
    "Prometheus": "/-/ready",
    "Alertmanager": "/-/ready",
}
"""What answers where it is up; nobody else has all these paths."""


def port(name: str, host: str, number: int, todo: str, expected: bool = True) -> Requirement:
    """Check one port.

    Parameters
    ----------
    name : str
        Whose it is to be, a key of `WHO`.
    host : str
        The address that it listens on.
    number : int
        The port; 0 is any that is free.
    todo : str
        What to do if somebody else has it.
    expected : bool
        Whether it is right that it is up already; else it is another one, which has the port.
    """
    if number == 0:
        return ok(f"port of {name}", "any that is free")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError as error:
            answers = _answers(name, host, number)
            if answers and not expected:
                return failed(f"port of {name}", f"{number}: another {name} has it", todo)
            if answers:
                return ok(f"port of {name}", f"{number}: {name} is up")
            return failed(f"port of {name}", f"{host}:{number}: {error.strerror}", todo)
    return ok(f"port of {name}", f"{number}: free")


def _answers(name: str, host: str, number: int) -> bool:
    asked = "127.0.0.1" if host == "0.0.0.0" else f"[{host}]" if ":" in host else host  # noqa: S104 (compared, not bound)
    try:
        return httpx.get(f"http://{asked}:{number}{WHO[name]}", timeout=ASK_SECONDS).status_code == 200
    except httpx.HTTPError:
        return False
