"""Whether the containers can be started: Docker, Compose, ports, what Grafana is provisioned with."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import yaml

from cli.local.coordinator_at_hand import dotenv
from cli.local.ports_check import port
from cli.local.requirement import Requirement, failed, ok, warning

OLDEST_COMPOSE = (2, 24)
ASK_SECONDS = 20.0
PORTS = {
    "coordinator": ("DASHBOARD_PORT", 5000),
    "Prometheus": ("PROMETHEUS_PORT", 9090),
    "Alertmanager": ("ALERTMANAGER_PORT", 9093),
    "Grafana": ("GRAFANA_PORT", 3000),
}


def is_meant(root: Path) -> bool:
    """Whether the containers were started from here before: `make up` leaves `.env`."""
    return (root / "docker-compose.yml").is_file() and (root / ".env").is_file()


def stack(root: Path) -> list[Requirement]:
    """Check all that the containers need, from the folder with docker-compose.yml."""
    return [docker(), compose(), *_ports(root), boards(root)]


def docker() -> Requirement:
    """Check that the engine answers."""
    said, error = _asked("docker", "info", "--format", "{{.ServerVersion}} {{.NCPU}} {{.MemTotal}}")
    words = said.split()
    if error or len(words) != 3 or not words[2].isdigit():
        return failed("docker", error or said or "the engine does not answer", "install or start Docker")
    return ok("docker", f"engine {words[0]}, {words[1]} cores, {int(words[2]) / 1024**3:.1f} GiB")


def compose() -> Requirement:
    """Check the version of Compose."""
    said, error = _asked("docker", "compose", "version", "--short")
    version = re.match(r"v?(\d+)\.(\d+)", said)
    if error or version is None:
        todo = "install the plugin docker compose, 2.24 or newer"
        return failed("compose", error or f"not understood: {said!r}", todo)
    if (int(version[1]), int(version[2])) < OLDEST_COMPOSE:
        return failed("compose", f"Compose {said}", "install Compose 2.24 or newer")
    return ok("compose", f"Compose {said}")


def boards(root: Path) -> Requirement:
    """Check that Grafana's provisioning can be read, and that there are boards to be read by it."""
    todo = "restore the folder grafana, or make the boards again: make dashboards"
    names: list[str] = []
    path = root / "grafana"
    try:
        sources: set[str] = set()
        for path in sorted((root / "grafana/provisioning/datasources").glob("*.yml")):
            document = yaml.safe_load(path.read_text(encoding="utf-8"))
            sources |= {source["uid"] for source in document["datasources"]}
        for path in sorted((root / "grafana/provisioning/dashboards").glob("*.yml")):
            names += [each["name"] for each in yaml.safe_load(path.read_text(encoding="utf-8"))["providers"]]
        if not sources or not names:
            return failed("boards", f"{root / 'grafana/provisioning'}: names no source or no boards", todo)
        titles: list[str] = []
        for path in sorted((root / "grafana/dashboards").glob("*.json")):
            titles.append(json.loads(path.read_text(encoding="utf-8"))["title"])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        return failed("boards", f"{path}: cannot be read: {' '.join(str(error).split())}", todo)
    if not titles:
        return failed("boards", f"{root / 'grafana/dashboards'}: holds no board", todo)
    return ok("boards", f"{len(titles)} boards ({', '.join(titles)}), sources {', '.join(sorted(sources))}")


def _ports(root: Path) -> list[Requirement]:
    given = dict(dotenv(root / ".env")) | dict(os.environ)
    checked: list[Requirement] = []
    for name, (variable, default) in PORTS.items():
        number = given.get(variable) or str(default)
        todo = f"set another one in .env: {variable}=..."
        if not number.isdigit() or int(number) > 65535:
            checked.append(warning(f"port of {name}", f"{variable}={number}: no port", todo))
        else:
            checked.append(port(name, "127.0.0.1", int(number), todo))
    return checked


def _asked(*command: str) -> tuple[str, str]:
    """Return what a command printed, and why that cannot be used; one of both is empty."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ASK_SECONDS, check=False)
    except OSError as error:
        return "", f"{command[0]}: {error.strerror}"
    except subprocess.TimeoutExpired:
        return "", f"{' '.join(command)}: no answer within {ASK_SECONDS:.0f} s"
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        return "", lines[-1] if lines else f"{' '.join(command)}: exit code {done.returncode}"
    return done.stdout.strip(), ""
