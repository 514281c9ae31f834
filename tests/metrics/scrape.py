"""What /metrics of a real process says, as series."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

import httpx
from prometheus_client.parser import text_string_to_metric_families

Labels = tuple[tuple[str, str], ...]
Series = tuple[str, Labels]


@dataclass
class Scrape:
    """The values of all series, and the type of each family."""

    values: dict[Series, float] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> dict[Labels, float]:
        return {labels: value for (found, labels), value in self.values.items() if found == name}

    def value(self, name: str, **labels: str) -> float | None:
        return self.values.get((name, tuple(sorted(labels.items()))))

    def update(self, other: Scrape) -> None:
        self.values |= other.values
        self.types |= other.types


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_healthy(url: str) -> bool:
    """Return whether a process says that it is well."""
    try:
        return httpx.get(f"{url}/healthz", trust_env=False, timeout=10).status_code == 200
    except httpx.TransportError:
        return False


def scrape(url: str) -> Scrape:
    """Ask a process for its metrics."""
    answer = httpx.get(f"{url}/metrics", trust_env=False, timeout=10)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    found = Scrape()
    for family in text_string_to_metric_families(answer.text):
        found.types[family.name] = family.type
        for sample in family.samples:
            series = sample.name, tuple(sorted(sample.labels.items()))
            assert series not in found.values, f"{series} is told twice"
            found.values[series] = sample.value
    return found
