"""Why a start failed, from what Compose said and what the services logged last."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

PORTS = {
    "coordinator": "DASHBOARD_PORT",
    "grafana": "GRAFANA_PORT",
    "prometheus": "PROMETHEUS_PORT",
    "alertmanager": "ALERTMANAGER_PORT",
}
"""The setting of each published port, by the service that has it."""

TAKEN = ("address already in use", "port is already allocated", "ports are not available")
BEGIN_STATES, BEGIN_LOGS = "== states", "== logs"
"""Lines that part what the shell sends."""


@dataclass(frozen=True)
class Container:
    """A container of the stack after a start."""

    name: str
    service: str
    state: str
    health: str
    exit_code: int

    @property
    def well(self) -> bool:
        """Whether it is as it should be; the one that gives volumes away has ended by then."""
        if self.service == "volumes":
            return self.exit_code == 0
        return (self.state, self.health) == ("running", "healthy")

    @property
    def words(self) -> str:
        """How it is, in words."""
        return f"{self.service} ({self.state})"


def explain(text: str, ports: dict[str, str]) -> Iterator[str]:
    """Yield what stopped a start, and what to do.

    Parameters
    ----------
    text : str
        What ``docker compose up`` printed; behind `BEGIN_STATES` what
        ``docker compose ps --all --format json`` says, behind `BEGIN_LOGS` the end of the services' logs.
    ports : dict
        The published port of each service.
    """
    lines = iter(text.splitlines())
    printed = list(takewhile(lambda line: line != BEGIN_STATES, lines))
    states = list(takewhile(lambda line: line != BEGIN_LOGS, lines))
    said = last_words(list(lines))
    clashes = [clash(service, port) for service, port in ports.items() if _taken(printed, port)]
    if clashes:
        yield from clashes
        return
    yield "not all services became healthy (docker compose ps, docker compose logs SERVICE):"
    ill = [one for one in containers(states) if not one.well]
    # What was only created waits for the others.
    for one in sorted(ill, key=lambda one: (one.state == "created", one.name)):
        waits = "it waits for the others" if one.state == "created" else "it has logged nothing"
        own = (words for name, words in said.items() if one.name.endswith(name))
        yield f"  {one.words}: {next(own, waits)}"


def listed(ports: str) -> dict[str, str]:
    """Return the published port of each service, of words such as ``coordinator 5000 grafana 3000``."""
    words = ports.split()
    return dict(zip(words[::2], words[1::2], strict=True))


def clash(service: str, port: str) -> str:
    """Return that a port is taken, and what to set."""
    return f"port {port} of 127.0.0.1 is taken: set another {PORTS[service]} in .env, then run: make up"


def containers(lines: list[str]) -> list[Container]:
    """Return the containers; older versions of Compose write one array, newer ones an object a line."""
    documents = [json.loads(line) for line in lines if line.startswith(("{", "["))]
    return [
        Container(one["Name"], one["Service"], one["State"], one.get("Health", ""), one.get("ExitCode", 0))
        for document in documents
        for one in (document if isinstance(document, list) else [document])
    ]


def last_words(lines: list[str]) -> dict[str, str]:
    """Return the last line that each container logged, by the end of the container's name."""
    words = {}
    for line in lines:
        name, separator, said = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line).partition("|")
        if separator and name.strip() and said.strip():
            words[name.strip()] = said.strip()
    return words


def _taken(printed: list[str], port: str) -> bool:
    said = [line for line in printed if any(words in line.lower() for words in TAKEN)]
    return any(re.search(rf"127\.0\.0\.1:{port}(?!\d)", line) for line in said)
