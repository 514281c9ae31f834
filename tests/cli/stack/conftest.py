"""A folder as the container `stack` sees it, and what docker says of the machine, without docker."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cli.stack.checkout import Mounts
from cli.stack.facts import Facts, read_facts
from cli.stack.owner import User
from cli.stack.preparation import prepare

ROOT = Path(__file__).parents[3]
INFO: dict[str, Any] = {
    "NCPU": 8,
    "MemTotal": 16 * 1024**3,
    "OperatingSystem": "Debian GNU/Linux 12 (bookworm)",
    "SecurityOptions": ["name=seccomp,profile=default"],
    "MemoryLimit": True,
    "CpuCfsQuota": True,
    "CpuCfsPeriod": True,
}
ME = User(os.getuid(), os.getgid())


def said(
    root: str, dotenv: dict[str, str], given: dict[str, str], candles: str = "", config: str = "", **info: Any
) -> str:
    """What the shell says: both documents as docker prints them, then the environment."""
    merged = {**dotenv, **given}
    chosen = candles or merged.get("CANDLES_DIR", "./data/candles").replace("./", f"{root}/", 1)
    composition = {
        "name": "nighttrain",
        "configs": {"night_training": {"file": config or f"{root}/deploy/night_training.yaml"}},
        "services": {
            "stack": {
                "environment": dotenv,
                "volumes": [
                    {"type": "bind", "source": root, "target": "/checkout"},
                    {"type": "bind", "source": chosen, "target": "/candles/chosen"},
                ],
            }
        },
    }
    lines = "".join(f"{key}={value}\n" for key, value in given.items())
    return f"{json.dumps({**INFO, **info})}\n{json.dumps(composition, indent=2)}\n{lines}"


@dataclass
class Checkout:
    """A copy of what a start works on, with `.env` read by hand, for Compose is not here."""

    mounts: Mounts
    given: dict[str, str] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.mounts.root

    @property
    def env(self) -> Path:
        return self.root / ".env"

    def settings(self) -> dict[str, str]:
        lines = self.env.read_text().splitlines() if self.env.exists() else []
        return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))

    def facts(self, **given: str) -> Facts:
        dotenv = self.settings()
        return read_facts(said("/checkout", dotenv, given, **self.info), dotenv)

    def prepare(self, caller: User | None = ME, behind_sudo: User | None = None, **given: str) -> list[str]:
        for name in [name for name in os.environ if name.startswith("BT_NIGHT_")]:
            del os.environ[name]
        facts = self.facts(**given)
        chosen = {
            "/checkout/data/sample": self.mounts.sample,
            "/checkout/data/candles": self.mounts.own_candles,
        }
        seen = chosen.get(facts.composition.candles.rstrip("/"), self.mounts.candles)
        mounts = Mounts(**{**vars(self.mounts), "candles": seen})
        return list(prepare(facts, caller, behind_sudo, mounts))


def exports(lines: list[str]) -> dict[str, str]:
    return dict(line.removeprefix("set ").split("=", 1) for line in lines if line.startswith("set "))


def candles(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "BTCUSDT-1m.csv").write_text("1\n")
    return folder


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    for name in [name for name in os.environ if name.startswith("BT_NIGHT_")]:
        monkeypatch.delenv(name)
    # What a preparation puts into the environment goes with the test.
    monkeypatch.setattr(os, "environ", dict(os.environ))
    root = tmp_path / "a checkout"
    for name in ("deploy", "prometheus", "grafana/provisioning", "grafana/dashboards"):
        (root / name).mkdir(parents=True)
    for name in ("night_training.yaml", "alerting.env.example"):
        shutil.copy(ROOT / "deploy" / name, root / "deploy" / name)
    shutil.copy(root / "deploy" / "alerting.env.example", root / "deploy" / "alerting.env")
    for name in ("prometheus.yml", "alertmanager.yml", "receivers.sh"):
        shutil.copy(ROOT / "prometheus" / name, root / "prometheus")
    places = {name: tmp_path / name for name in ("candles", "own_candles", "sample", "volumes")}
    for place in places.values():
        place.mkdir()
    # One file at two places, as a mount is; and all above it may be entered by others, as above a mount.
    config = tmp_path / "etc" / "night_training.yaml"
    config.parent.mkdir()
    config.hardlink_to(root / "deploy" / "night_training.yaml")
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid == os.getuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o055)
    return Checkout(Mounts(root=root, config=config, alerting=root / "deploy" / "alerting.env", **places))
