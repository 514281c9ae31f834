"""What the metrics report of the coordinator's machine."""

from __future__ import annotations

import time
from pathlib import Path

import psutil

from common.host import ControlGroup
from common.metrics.exposition import Readings
from coordinator.metrics.machine import Machine
from tests.coordinator.metrics.scraped import scraped
from tests.coordinator.specimens import Night


class TestTheMachine:
    def test_its_figures_are_plausible(self, night: Night) -> None:
        scrape = scraped(night)
        assert (scrape("host_cpus") or 0) >= 1
        assert 0 < (scrape("host_memory_available_bytes") or 0) < (scrape("host_memory_size_bytes") or 0)
        assert 0 < (scrape("host_disk_free_bytes") or 0) < (scrape("host_disk_size_bytes") or 0)
        assert (scrape("database_size_bytes") or 0) > 50_000

    def test_the_cpu_time_counts_up_by_mode(self, night: Night) -> None:
        before, began = scraped(night), time.process_time()
        name, gained = "host_cpu_seconds_total", 0.0
        # The kernel counts by ticks, and to whoever has the processor at each: on a busy machine fewer than
        # were spent.
        while gained < 0.25 and time.process_time() < began + 30:
            spent = time.process_time() + 0.25
            while time.process_time() < spent:
                pass
            after = scraped(night)
            # A process of low priority is counted under another mode.
            gained = sum(
                (after(name, mode=mode) or 0) - (before(name, mode=mode) or 0) for mode in ("user", "nice")
            )
        assert gained >= 0.25
        assert (after(name, mode="idle") or 0) >= (before(name, mode="idle") or 0) > 0
        assert after(name, mode="guest") is None

    def test_without_a_limit_the_coordinator_may_take_what_the_host_has(self, night: Night) -> None:
        readings = Readings()
        with night.database.read() as tx:
            Machine(night.database, night.out, ControlGroup()).read(readings, tx)
        limit, usage = own_memory(readings)
        assert limit == psutil.virtual_memory().total
        assert 10_000_000 < usage < limit

    def test_within_a_limit_the_page_cache_does_not_count(self, night: Night, tmp_path: Path) -> None:
        (tmp_path / "memory.max").write_text("536870912\n")
        (tmp_path / "memory.current").write_text("400000000\n")
        (tmp_path / "memory.stat").write_text("active_file 100000000\ninactive_file 50000000\n")
        readings = Readings()
        with night.database.read() as tx:
            group = ControlGroup(memory=(tmp_path,), memory_v2=True)
            Machine(night.database, night.out, group).read(readings, tx)
        assert own_memory(readings) == (536_870_912, 250_000_000)


def own_memory(readings: Readings) -> tuple[float, float]:
    found = {family.name: family.samples[0].value for family in readings.families()}
    return (
        found["nighttrain_coordinator_memory_limit_bytes"],
        found["nighttrain_coordinator_memory_usage_bytes"],
    )
