"""A real stack: this checkout copied to a clean folder, `make up` there, real engine, real Prometheus."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from filelock import FileLock, Timeout

ROOT = Path(__file__).parents[2]
ENGINE = ROOT.parent / "shared" / "docker" / "engine"
IMAGES = ROOT.parent / "shared" / "docker" / "images"
PROJECT = "nighttrain-test"

SMALL = {"symbols": ["BTCUSDT", "XRPUSDT"], "timeframes": ["15m", "1h"], "horizons": [1, 3]}
LONG = {
    "symbols": ["BTCUSDT", "XRPUSDT"],
    "timeframes": ["1m", "3m", "5m"],
    "horizons": [*range(1, 21)],
}
LONG_CELLS = 2 * 3 * 20
QUICK = {
    "data": {"sample": {"days": 240}},
    "lease": {"seconds": 6.0},
    "retry": {"backoff_base": 0.5, "backoff_cap": 2.0},
}


def until(condition: Callable[[], Any], what: str, seconds: float) -> Any:
    """Return what the condition found, or fail when it has found nothing in time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = condition()
        except (httpx.TransportError, OSError):
            found = None
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.25)


def run(*command: object, cwd: Path, timeout: float = 600, **env: str) -> str:
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def refused(*command: object, cwd: Path, **env: str) -> str:
    """Return what a command said that ended with the code of a mistake."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 2, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@dataclass
class Stack:
    """The stack in one folder, with its ports."""

    folder: Path
    ports: dict[str, int] = field(default_factory=dict)

    def configure(self, grid: dict[str, Any]) -> None:
        (self.folder / "deploy" / "night_training.yaml").write_text(yaml.safe_dump({**grid, **QUICK}))

    @property
    def candles(self) -> Path:
        """The sample that was made because there were no candles."""
        return self.folder / "data" / "sample"

    def environment(self) -> dict[str, str]:
        return {"COMPOSE_PROJECT_NAME": PROJECT}

    def make(self, *arguments: str, timeout: float = 600) -> str:
        return run("make", *arguments, cwd=self.folder, timeout=timeout, **self.environment())

    def compose(self, *arguments: object, timeout: float = 300) -> str:
        return run("docker", "compose", *arguments, cwd=self.folder, timeout=timeout, **self.environment())

    def get(self, service: str, path: str, **query: str) -> Any:
        answer = httpx.get(f"http://127.0.0.1:{self.ports[service]}{path}", params=query, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def text(self, service: str, path: str) -> str:
        answer = httpx.get(f"http://127.0.0.1:{self.ports[service]}{path}", timeout=10)
        answer.raise_for_status()
        return answer.text

    def status(self) -> Any:
        return self.get("DASHBOARD", "/api/status")

    def training(self) -> dict[str, int]:
        counts: dict[str, int] = self.status()["run"]["training"]
        return counts

    def done(self) -> bool:
        view = self.status()["run"]
        return bool(view and view["state"] == "done" and view["results_path"])

    def results(self) -> Any:
        return self.get("DASHBOARD", f"/api/runs/{self.status()['run']['id']}/results")

    def start_night(self) -> str:
        """Start a night that trains, also what an earlier one of these containers has trained."""
        return self.compose("exec", "-T", "coordinator", "nighttrain", "start", "--retrain")

    def containers(self, service: str) -> list[Any]:
        names = self.compose("ps", "--quiet", service).split()
        return json.loads(run("docker", "inspect", *names, cwd=self.folder)) if names else []

    def query(self, expression: str) -> list[Any]:
        document = self.get("PROMETHEUS", "/api/v1/query", query=expression)
        result: list[Any] = document["data"]["result"]
        return result


def _engine_answers() -> bool:
    try:
        done = subprocess.run(["docker", "compose", "version"], capture_output=True, timeout=30)
        info = subprocess.run(["docker", "info"], capture_output=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and info.returncode == 0


@pytest.fixture(scope="session")
def engine() -> Iterator[None]:
    """An engine that answers, with the images, without what a run that was killed left there."""
    _start_engine()
    lock = FileLock(Path(tempfile.gettempdir()) / f"{PROJECT}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        pytest.fail(f"another run of these tests is at work on this engine ({lock.lock_file} is held)")
    with lock:
        _remove_remains()
        yield


def _start_engine() -> None:
    if not _engine_answers():
        if not ENGINE.exists():
            pytest.skip("no Docker engine answers, and there is no script to start one")
        subprocess.run([ENGINE], check=True, timeout=600)
    if IMAGES.exists():
        subprocess.run([IMAGES], cwd=ROOT, check=True, timeout=900)


def _remove_remains() -> None:
    """Remove what these tests' projects left there: a run that was killed could not."""
    label = "com.docker.compose.project"
    for kind, name, remove in (
        ("container", "ID", ("rm", "--force", "--volumes")),
        ("network", "ID", ("rm",)),
        ("volume", "Name", ("rm",)),
    ):
        listed = run(
            "docker", kind, "ls", *(["--all"] if kind == "container" else []),
            "--filter", f"label={label}", "--format", f'{{{{.{name}}}}} {{{{.Label "{label}"}}}}', cwd=ROOT,
        )  # fmt: skip
        for identity, project in map(str.split, listed.splitlines()):
            if project == PROJECT or project.startswith(f"{PROJECT}-"):
                run("docker", kind, *remove, identity, cwd=ROOT)
    for project in (PROJECT, f"{PROJECT}-2", f"{PROJECT}-by-hand"):
        run("docker", "image", "prune", "--force", "--filter", f"label={label}={project}", cwd=ROOT)


@pytest.fixture(scope="session")
def stack(engine: None) -> Iterator[Stack]:
    """The stack, up from a clean checkout without candles, with its first small night begun."""
    # Not below pytest's folder, which the next session of pytest closes to other users.
    folder = checkout(Path(tempfile.mkdtemp(prefix="nighttrain-stack-")))
    folder.chmod(0o755)
    made = Stack(folder, free_ports())
    made.configure(SMALL)
    _quicken(folder)
    settings = {f"{name}_PORT": str(port) for name, port in made.ports.items()}
    settings["BT_NIGHT_DASHBOARD_PORT"] = settings.pop("DASHBOARD_PORT")
    try:
        run(
            "make", "up", cwd=folder, timeout=900,
            **made.environment(), **settings, BT_NIGHT_MEMORY_LIMIT="1.0",
        )  # fmt: skip
        yield made
    finally:
        if os.environ.get("NIGHTTRAIN_KEEP_STACK") != "1":
            made.compose("down", "--volumes", "--timeout", "5")
            shutil.rmtree(folder)


def checkout(folder: Path) -> Path:
    """Copy what a clone would have, and what is not committed yet."""
    for name in run("git", "ls-files", "-coz", "--exclude-standard", cwd=ROOT).split("\0"):
        if name:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    return folder


def _quicken(folder: Path) -> None:
    """Scrape and tell more often than the product does, so that a test need not wait for minutes."""
    for name, old, new in (
        ("prometheus.yml", "_interval: 15s", "_interval: 3s"),
        ("prometheus.yml", "scrape_timeout: 10s", "scrape_timeout: 3s"),
        ("alertmanager.yml", "group_wait: 30s", "group_wait: 1s"),
        ("alertmanager.yml", "group_interval: 5m", "group_interval: 3s"),
        ("alertmanager.yml", "group_wait: 5s", "group_wait: 1s"),
        ("alertmanager.yml", "group_interval: 30s", "group_interval: 3s"),
    ):
        path = folder / "prometheus" / name
        text = path.read_text()
        assert old in text, f"{name} has no {old}"
        path.write_text(text.replace(old, new))


def free_ports() -> dict[str, int]:
    """A free port for each service that publishes one."""
    ports = {}
    for name in ("DASHBOARD", "GRAFANA", "PROMETHEUS", "ALERTMANAGER"):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports[name] = int(probe.getsockname()[1])
    return ports
