"""What the metrics report of the coordinator's machine."""

from __future__ import annotations

import time as wall

from prometheus_client import CollectorRegistry, generate_latest

from coordinator.metrics.collector import NightCollector
from tests.coordinator.metrics.scraped import Scrape, scraped
from tests.coordinator.specimens import (
    Night,
)


class TestTheMachine:
    def test_its_figures_are_plausible(self, night: Night) -> None:
        scrape = scraped(night)
        assert (scrape("host_cpus") or 0) >= 1
        assert 0 < (scrape("host_memory_available_bytes") or 0) < (scrape("host_memory_size_bytes") or 0)
        assert 0 < (scrape("host_disk_free_bytes") or 0) < (scrape("host_disk_size_bytes") or 0)
        assert (scrape("database_size_bytes") or 0) > 50_000

    def test_the_cpu_share_is_that_since_the_last_scrape(self, night: Night) -> None:
        registry = CollectorRegistry()
        registry.register(NightCollector(night.database, night.settings, night.out, night.forecast, "0.1.0"))
        busy_until = wall.monotonic() + 0.7
        while wall.monotonic() < busy_until:
            pass
        ratio = Scrape(generate_latest(registry).decode())("host_cpu_ratio") or 0.0
        assert 0.5 / (Scrape(generate_latest(registry).decode())("host_cpus") or 1) < ratio <= 1.0
