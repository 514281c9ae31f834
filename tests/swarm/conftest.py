"""Three Docker hosts with a network between them, and the stack of deploy/swarm.yml on them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from filelock import FileLock, Timeout

from tests.object_store import Server as ObjectStore
from tests.postgres import USER, Server, execute, of_database, programs
from tests.stack.conftest import ENGINE, IMAGES, ROOT, checkout, run

CLUSTER = ENGINE.parent / "cluster"
ADDRESS, NETWORK = "10.77.0.254", "10.77.0.0/24"
"""Of this machine on the hosts' network, which the script for them makes."""
STACK = "nighttrain-test"
VERSIONS = {"COORDINATOR_IMAGE": f"{STACK}-swarm-coordinator", "TRAINER_IMAGE": f"{STACK}-swarm-trainer"}

NIGHT = {
    # So many cells that the night is not over before both hosts are lost.
    "symbols": ["BTCUSDT", "ETHUSDT", "ADAUSDT", "XRPUSDT"],
    "timeframes": ["1m", "3m", "5m"],
    "horizons": [*range(1, 41)],
    "data": {"sample": {"days": 100}},
    "lease": {"seconds": 6.0},
    # A job may be on each host that is lost, in turn.
    "retry": {"crash": 9, "backoff_base": 0.5, "backoff_cap": 2.0},
    # The three hosts are one machine, whose trainers would be limited as those of one host.
    "parallelism": {"adaptive": False},
    "memory_threshold": 0.99,
}
CELLS = 4 * 3 * 40


@dataclass
class Hosts:
    """Three Docker hosts, the first of which is the Swarm's manager; `temporary` holds all that they keep."""

    temporary: Path

    def script(self, *arguments: object, timeout: float = 300) -> str:
        sbin = os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin"))
        return run(CLUSTER, *arguments, cwd=ROOT, timeout=timeout, TMPDIR=str(self.temporary), PATH=sbin)

    def docker(self, host: int, *arguments: object) -> str:
        return run("docker", *arguments, cwd=ROOT, DOCKER_HOST=self.socket(host))

    def socket(self, host: int) -> str:
        return f"unix://{self.temporary}/docker-cluster/{host}/sock"

    def node(self, host: int) -> str:
        return self.docker(host, "info", "--format", "{{.Swarm.NodeID}}").strip()

    def down(self) -> None:
        self.script("down")
        for rule in (
            f"-t nat -D POSTROUTING -s {NETWORK} ! -o nbr -j MASQUERADE",
            "-D FORWARD -i nbr -j ACCEPT",
            "-D FORWARD -o nbr -j ACCEPT",
        ):
            subprocess.run(["iptables", *rule.split()], capture_output=True, timeout=30)


@dataclass
class Swarm:
    """The stack on the hosts, as an operator at the manager sees it."""

    hosts: Hosts
    folder: Path
    settings: dict[str, str]
    at: int = 0
    """The host on which the coordinator is."""

    def deploy(self, *arguments: str, **settings: str) -> str:
        said = {**self.settings, **settings, "DOCKER_HOST": self.hosts.socket(1)}
        return run(self.folder / "deploy/swarm/deploy.sh", *arguments, cwd=self.folder, **said)

    def tasks(self, service: str, state: str = "running") -> list[str]:
        """The ids of the nodes on which a service's tasks are in a state."""
        said = self.hosts.docker(
            1, "service", "ps", f"{STACK}_{service}", "--no-trunc",
            "--filter", "desired-state=running", "--format", "{{.ID}}",
        )  # fmt: skip
        tasks = (
            json.loads(self.hosts.docker(1, "inspect", "--type", "task", *said.split()))
            if said.split()
            else []
        )
        return [one["NodeID"] for one in tasks if one["Status"]["State"] == state]

    def containers(self, host: int, service: str) -> list[str]:
        label = f"label=com.docker.swarm.service.name={STACK}_{service}"
        return self.hosts.docker(host, "ps", "--quiet", "--filter", label).split()

    def inside(self, host: int, service: str, *command: str) -> str:
        return self.hosts.docker(host, "exec", self.containers(host, service)[0], *command)

    def get(self, path: str, token: str = "reader_token", **query: str | int) -> Any:
        shown = {"Authorization": f"Bearer {(self.folder / 'secrets' / token).read_text()}"}
        address = f"http://10.77.0.{self.at}:5000{path}"
        answer = httpx.get(address, params=query, headers=shown, timeout=5)
        answer.raise_for_status()
        return answer.json() if path.startswith("/api") else answer.text

    def query(self, expression: str) -> list[Any]:
        address = f"http://127.0.0.1:9090/api/v1/query?query={expression}"
        said = self.inside(1, "prometheus", "wget", "-q", "-O-", address)
        result: list[Any] = json.loads(said)["data"]["result"]
        return result

    def training(self) -> dict[str, int]:
        counts: dict[str, int] = self.get("/api/status")["run"]["training"]
        return counts


@pytest.fixture(scope="session")
def hosts() -> Iterator[Hosts]:
    """Three hosts in a Swarm, and no trace of them afterwards."""
    if os.geteuid() != 0 or not CLUSTER.exists():
        pytest.skip(
            "three Docker hosts cannot be had here: there is no script that makes them, or this is not root"
        )
    if programs() is None:
        pytest.skip("no PostgreSQL server is installed, which the coordinator needs to move to another host")
    temporary = Path(tempfile.gettempdir()) / "nighttrain-swarm"
    lock = FileLock(temporary.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        pytest.fail(f"another run of these tests is at work ({lock.lock_file} is held)")
    with lock:
        answered = subprocess.run(["docker", "info"], capture_output=True, timeout=60).returncode == 0
        made = Hosts(temporary)
        temporary.mkdir(exist_ok=True)
        temporary.chmod(0o755)
        try:
            # What a run that was killed left there.
            if (temporary / "docker-cluster").exists():
                made.down()
            made.script("up", 3)
            yield made
        finally:
            made.down()
            if not answered:
                run(ENGINE, "stop", cwd=ROOT)
            shutil.rmtree(temporary)


@pytest.fixture(scope="session")
def database(hosts: Hosts) -> Iterator[str]:
    """The address of a database of a server that is on none of the hosts."""
    folder = programs()
    assert folder is not None
    server = Server(folder, ADDRESS, NETWORK)
    try:
        execute(server.url, "CREATE DATABASE night")
        yield of_database(f"postgresql+psycopg://{USER}@{ADDRESS}/postgres", "night")
    finally:
        server.close()


@pytest.fixture(scope="session")
def objects(hosts: Hosts) -> Iterator[ObjectStore]:
    """An object store that is on none of the hosts."""
    store = ObjectStore(host=ADDRESS)
    try:
        yield store
    finally:
        store.close()


@pytest.fixture(scope="session")
def swarm(hosts: Hosts, database: str) -> Iterator[Swarm]:
    """The stack on all hosts: what watches on the first, the coordinator on the second."""
    folder = checkout(hosts.temporary / "checkout")
    _build(hosts, folder)
    (folder / "night.yaml").write_text(yaml.safe_dump({**NIGHT, "database_url": database}))
    nighttrain = ROOT / ".venv/bin/nighttrain"
    run(
        nighttrain, "data", "sample", "--config", folder / "night.yaml", "--out", folder / "candles", cwd=ROOT
    )
    shared = hosts.temporary / "shared"
    shared.mkdir()
    shutil.chown(shared, 10001, 10001)
    _fit(folder)
    secrets = folder / "secrets"
    secrets.mkdir()
    for name in ("nighttrain_token", "trainer_token", "alerts_token", "reader_token", "grafana_password"):
        (secrets / name).write_text(os.urandom(32).hex())
    made = Swarm(
        hosts,
        folder,
        {
            **VERSIONS, "STACK": STACK, "TOKENS_DIR": str(secrets),
            "NIGHT_CONFIG": str(folder / "night.yaml"),
            "NIGHTTRAIN_URL": "http://10.77.0.2:5000", "CANDLES_DIR": str(folder / "candles"),
            "TRAINERS": "6", "TRAINERS_PER_NODE": "3", "TRAINER_MEMORY": "1g", "TRAINER_CPUS": "0.1",
            "NIGHT_SHARE_TYPE": "none", "NIGHT_SHARE_OPTIONS": "bind", "NIGHT_SHARE_DEVICE": str(shared),
        },
        at=2,
    )  # fmt: skip
    for host, label in ((1, "monitoring"), (2, "coordinator")):
        hosts.docker(1, "node", "update", "--label-add", f"nighttrain.{label}=true", hosts.node(host))
    made.deploy("--shared")
    yield made


def _build(hosts: Hosts, folder: Path) -> None:
    """Make the images of this checkout, and bring them and the others to every host."""
    python, others = "python:3.13-slim-trixie", []
    for line in (folder / "deploy/swarm.yml").read_text().splitlines():
        name = line.strip().partition("image: ${")[2].partition(":-")
        if name[0] in ("PROMETHEUS_IMAGE", "ALERTMANAGER_IMAGE", "GRAFANA_IMAGE"):
            others.append(name[2].rstrip("}"))
    if IMAGES.exists():
        run(IMAGES, python, *others, cwd=ROOT, timeout=900)
    for name, kind in zip(VERSIONS.values(), ("coordinator", "trainer"), strict=True):
        file = f"deploy/images/{kind}.Dockerfile"
        run(
            "docker", "build", "--quiet", "--build-arg", f"PYTHON_IMAGE={python}",
            "--tag", name, "--file", file, ".",
            cwd=folder, timeout=900,
        )  # fmt: skip
    hosts.script("load", *VERSIONS.values(), *others, timeout=900)


def _fit(folder: Path) -> None:
    """Fit the files to hosts that are one machine, whose kernel may not encrypt, and scrape more often."""
    for name, old, new in (
        ("deploy/swarm.yml", "{{.Node.Hostname}}", "{{.Node.ID}}"),
        ("deploy/swarm/prometheus.yml", "_interval: 15s", "_interval: 3s"),
        ("deploy/swarm/prometheus.yml", "scrape_timeout: 10s", "scrape_timeout: 3s"),
        ("deploy/swarm.yml", ', driver_opts: {encrypted: ""}', ""),
        ("deploy/swarm/candles.yml", ', driver_opts: {encrypted: ""}', ""),
    ):
        path = folder / name
        text = path.read_text()
        assert old in text, f"{name} has no {old}"
        path.write_text(text.replace(old, new))
