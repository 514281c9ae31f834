"""What a trainer tells Prometheus: real agents over real HTTP, and control groups as files of the kernel."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from common.host import ControlGroup, control_group
from common.protocol.steering import Action, Order
from common.protocol.trainers import LimitKind, TrainerHello
from tests.metrics.scrape import Scrape, free_port, is_healthy, scrape
from tests.trainer.real_night import Coordinator, Process, RealNight, eventually
from trainer.agent.metrics import STUCK_SECONDS, TrainerCollector, serve
from trainer.agent.stop_request import StopRequest
from trainer.agent.vitals import Vitals

GIB = 1024**3


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coordinator]:
    # One out-of-memory is enough: the next attempt would have the room of the whole host.
    retry = {"oom": 1, "backoff_base": 0.05, "backoff_cap": 0.05}
    started = Coordinator(tmp_path_factory.mktemp("shared"), retry=retry).start()
    yield started
    started.close()


@pytest.fixture
def night(shared: Coordinator, tmp_path: Path) -> Iterator[RealNight]:
    made = RealNight(shared, tmp_path).begin()
    yield made
    made.close()


class Watched:
    """A trainer and its metrics."""

    def __init__(self, night: RealNight, target: str, *options: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.process: Process = night.start_trainer(target, "--metrics-port", str(port), *options)
        eventually(lambda: is_healthy(self.url))

    def told(self) -> Scrape:
        return scrape(self.url)

    def reaches(self, value: float, name: str, **labels: str) -> None:
        eventually(lambda: self.told().value(f"nighttrain_trainer_{name}", trainer="t1", **labels) == value)


class TestARealTrainer:
    def test_tells_what_it_is_at_work_on_and_then_that_it_is_not(self, night: RealNight) -> None:
        trainer = Watched(night, "linger")
        night.child_pid()
        trainer.reaches(1, "job_steps_done")
        told = trainer.told()
        assert told.value("nighttrain_trainer_state", trainer="t1", state="working") == 1
        [job] = [dict(labels) for labels in told["nighttrain_trainer_job_info"]]
        cell = {"symbol": "BTCUSDT", "timeframe": "1h", "horizon": "1"}
        assert job == {"trainer": "t1", "kind": "training", **cell, "stage": "crossval"}
        assert told.value("nighttrain_trainer_job_steps", trainer="t1") == 5
        assert (told.value("nighttrain_trainer_child_peak_memory_bytes", trainer="t1") or 0) > 2**20
        assert (told.value("nighttrain_trainer_memory_usage_bytes", trainer="t1") or 0) > 2**20
        night.operator.steer_run(night.run, Action.CANCEL, Order())
        trainer.reaches(1, "jobs_total", kind="training", outcome="cancelled")
        told = trainer.told()
        assert told.value("nighttrain_trainer_state", trainer="t1", state="idle") == 1
        assert told["nighttrain_trainer_job_info"] == {}
        assert told.value("nighttrain_trainer_child_memory_bytes", trainer="t1") == 0
        assert (
            told.value("nighttrain_trainer_jobs_total", trainer="t1", kind="survey", outcome="succeeded") == 1
        )

    def test_counts_a_lost_lease_as_lost(self, night: RealNight) -> None:
        trainer = Watched(night, "linger")
        night.child_pid()
        trainer.process.signal(signal.SIGSTOP)
        eventually(lambda: night.cell().history[0].outcome == "expired")
        trainer.process.signal(signal.SIGCONT)
        trainer.reaches(1, "jobs_total", kind="training", outcome="lost")
        assert (
            trainer.told().value(
                "nighttrain_trainer_coordinator_errors_total", trainer="t1", error="stale-lease"
            )
            or 0
        ) >= 1

    def test_counts_what_it_killed_for_its_memory(self, night: RealNight) -> None:
        trainer = Watched(night, "hog", "--memory-limit-gb", "0.1")
        trainer.reaches(1, "jobs_total", kind="training", outcome="oom")
        told = trainer.told()
        assert told.value("nighttrain_trainer_oom_kills_total", trainer="t1") == 1
        assert told.value("nighttrain_trainer_info", trainer="t1", limit_kind="agent") == 1
        assert told.value("nighttrain_trainer_memory_limit_bytes", trainer="t1") == int(0.1 * GIB)

    def test_is_well_while_its_coordinator_is_away_and_says_so(self, tmp_path: Path) -> None:
        away = Coordinator(tmp_path)
        away.port = free_port()
        away.out.mkdir()
        (away.out / "trainer_token").write_text("a-token-of-more-than-thirty-two-letters")
        night = RealNight(away, tmp_path)
        try:
            trainer = Watched(night, "succeed")
            eventually(
                lambda: (
                    (
                        trainer.told().value(
                            "nighttrain_trainer_coordinator_errors_total", trainer="t1", error="unavailable"
                        )
                        or 0
                    )
                    > 1
                )
            )
            assert trainer.told().value("nighttrain_trainer_state", trainer="t1", state="connecting") == 1
            assert httpx.get(f"{trainer.url}/healthz", trust_env=False).text == "connecting\n"
            assert httpx.get(f"{trainer.url}/other", trust_env=False).status_code == 404
        finally:
            night.close()

    def test_says_for_how_long_it_has_kept_a_result_that_nobody_takes(self, tmp_path: Path) -> None:
        coordinator = Coordinator(tmp_path, lease={"seconds": 60.0}).start()
        night = RealNight(coordinator, tmp_path).begin()
        try:
            trainer = Watched(night, "linger")
            night.child_pid()
            trainer.reaches(1, "job_steps_done")
            assert trainer.told().value("nighttrain_trainer_unsent_seconds", trainer="t1") == 0
            coordinator.kill()
            os.kill(night.child_pid(), signal.SIGKILL)
            eventually(
                lambda: (trainer.told().value("nighttrain_trainer_unsent_seconds", trainer="t1") or 0) > 1
            )
            coordinator.start()
            trainer.reaches(1, "jobs_total", kind="training", outcome="crash")
            trainer.reaches(0, "unsent_seconds")
        finally:
            night.close()
            coordinator.close()

    def test_takes_the_limit_of_its_control_group_or_two_gibibytes(self, night: RealNight) -> None:
        night.start_trainer("succeed")
        eventually(night.is_done)
        [told] = [one for one in night.operator.status().trainers if one.name == "t1"]
        assert told.memory_limit_bytes == (control_group().memory_limit_bytes() or 2 * GIB)

    def test_without_a_port_it_serves_nothing_and_a_taken_one_is_one_clear_line(
        self, night: RealNight
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as holder:
            port = holder.getsockname()[1]
            refused = night.start_trainer("succeed", "--metrics-port", str(port))
            code, _ = refused.end()
        assert code == 2
        assert f"metrics cannot be served at 127.0.0.1 port {port}: Address already in use" in refused.said
        assert "Traceback" not in refused.said


def hello(kind: LimitKind = LimitKind.CGROUP) -> TrainerHello:
    return TrainerHello(
        name="t1", boot_id="b", host="h", limit_kind=kind, memory_limit_bytes=2 * GIB, version="0.1.0"
    )


@pytest.fixture
def group(tmp_path: Path) -> ControlGroup:
    """A container of cgroup v2."""
    folder = tmp_path / "group"
    folder.mkdir()
    for name, text in {
        "memory.max": "1073741824",
        "memory.current": "700000000",
        "memory.stat": "anon 1\ninactive_file 200000000\n",
        "memory.events": "oom 3\noom_kill 2\n",
        "cpu.max": "150000 100000",
        "cpu.stat": "usage_usec 12500000\nthrottled_usec 1500000\n",
    }.items():
        (folder / name).write_text(text)
    return ControlGroup((folder,), True, (folder,), True)


def read(collector: TrainerCollector) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(collector)
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        sample.name.removeprefix("nighttrain_trainer_"): sample.value
        for family in families
        for sample in family.samples
        if sample.labels == {"trainer": "t1"}
    }


class TestWithinAControlGroup:
    def test_the_kernels_figures_are_told(self, group: ControlGroup, tmp_path: Path) -> None:
        vitals = Vitals(memory_kills=1)
        told = read(TrainerCollector(vitals, hello(), group, tmp_path / "cache", StopRequest()))
        assert told["memory_limit_bytes"] == GIB
        assert told["memory_usage_bytes"] == 500_000_000
        assert told["oom_kills_total"] == 3
        assert told["cpu_seconds_total"] == 12.5
        assert told["cpu_throttled_seconds_total"] == 1.5
        assert told["cpus"] == 1.5

    def test_of_others_the_limit_is_the_agents_and_the_time_that_of_its_processes(
        self, group: ControlGroup, tmp_path: Path
    ) -> None:
        collector = TrainerCollector(Vitals(), hello(LimitKind.AGENT), group, tmp_path, StopRequest())
        told = read(collector)
        assert (told["memory_limit_bytes"], told["memory_usage_bytes"]) == (2 * GIB, 0)
        assert told["oom_kills_total"] == 0
        busy_until = time.process_time() + 0.05
        while time.process_time() < busy_until:
            pass
        assert told["cpu_seconds_total"] < read(collector)["cpu_seconds_total"]

    def test_a_count_never_falls(self, group: ControlGroup, tmp_path: Path) -> None:
        collector = TrainerCollector(Vitals(), hello(), group, tmp_path, StopRequest())
        read(collector)
        (group.cpu[0] / "cpu.stat").write_text("usage_usec 12000000\n")
        assert read(collector)["cpu_seconds_total"] == 12.5


def test_an_agent_that_is_stuck_is_not_well(
    group: ControlGroup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vitals, port = Vitals(), free_port()
    serve(TrainerCollector(vitals, hello(), group, tmp_path, StopRequest()), "127.0.0.1", port)
    url = f"http://127.0.0.1:{port}"
    assert is_healthy(url)
    monkeypatch.setattr(vitals, "_beat", time.monotonic() - STUCK_SECONDS - 1)
    answer = httpx.get(f"{url}/healthz", trust_env=False)
    assert (answer.status_code, answer.text.startswith("stuck for 9")) == (503, True)
    vitals.beat()
    assert is_healthy(url)


def test_caches_are_measured_apart(group: ControlGroup, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    candles = cache / "candles" / "BTCUSDT"
    candles.mkdir(parents=True)
    (candles / "1h-abc.columns").write_bytes(b"x" * 3000)
    (cache / "BTCUSDT_1h_abc.features").write_bytes(b"x" * 500)
    registry = CollectorRegistry()
    registry.register(TrainerCollector(Vitals(), hello(), group, cache, StopRequest()))
    text = generate_latest(registry).decode()
    assert 'nighttrain_trainer_cache_size_bytes{cache="candles",trainer="t1"} 3000.0' in text
    assert 'nighttrain_trainer_cache_size_bytes{cache="features",trainer="t1"} 500.0' in text
