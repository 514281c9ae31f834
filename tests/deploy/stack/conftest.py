"""The script behind `make up`, run by the real /bin/sh with an engine that only notes what it is asked."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

ENGINE = r"""#!/bin/sh
printf '%s\n' "$*" >>"$STUB/calls"
case "$*" in
'info --format {{.NCPU}}') echo 8 ;;
'info --format {{.MemTotal}}') echo 17179869184 ;;
'compose version --short') echo "$STUB_COMPOSE" ;;
'compose run --rm -T sample') echo 1 >data/sample/BTCUSDT-1m.csv ;;
'compose ps --quiet coordinator') echo 0123456789ab ;;
'ps --all'*) printf '%s' "$STUB_FOLDER" ;;
esac
[ "$1" != compose ] || env >"$STUB/$2"
"""


@dataclass
class Said:
    code: int
    out: str
    err: str


@dataclass
class Copy:
    """A checkout with a script, a home folder and an engine of its own."""

    folder: Path
    stub: Path
    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def env(self) -> Path:
        return self.folder / ".env"

    def run(self, *arguments: str, **environment: str) -> Said:
        shutil.rmtree(self.stub / "notes", ignore_errors=True)
        (self.stub / "notes").mkdir()
        done = subprocess.run(
            ["/bin/sh", self.folder / "deploy" / "stack" / "stack.sh", *arguments],
            cwd=self.home,
            env={
                "PATH": f"{self.stub}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
                "HOME": str(self.home),
                "STUB": str(self.stub / "notes"),
                "STUB_COMPOSE": "2.26.1-4",
                "STUB_FOLDER": "",
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            umask=0o022,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def up(self, **environment: str) -> Said:
        said = self.run("up", **environment)
        assert said.code == 0, said
        assert said.err == "", said
        return said

    def refused(self, *arguments: str, **environment: str) -> str:
        said = self.run(*arguments, **environment)
        assert said.code == 2, said
        assert not any(call.startswith("compose up") for call in self.calls())
        assert said.err.startswith("nighttrain: ") and said.err.count("\n") == 1, said.err
        return said.err

    def calls(self) -> list[str]:
        path = self.stub / "notes" / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def compose(self, command: str = "up") -> dict[str, str]:
        """Return the environment that Compose had for its last call of this command."""
        lines = (self.stub / "notes" / command).read_bytes().decode().split("\n")
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def in_force(self, key: str) -> str | None:
        """Return what Compose takes: the environment, else what the script wrote into .env."""
        return self.compose().get(key) or self.settings().get(key)

    def settings(self) -> dict[str, str]:
        lines = self.env.read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))

    def sampled(self) -> bool:
        return "compose run --rm -T sample" in self.calls()


def candles(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "BTCUSDT-1m.csv").write_text("1\n")
    return folder


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    made = Copy(tmp_path / "a checkout", tmp_path / "stub", tmp_path / "home")
    for name in (made.folder / "deploy" / "stack", made.stub, made.home):
        name.mkdir(parents=True)
    for name in ("stack/stack.sh", "stack/sizes.sh", "stack/dotenv.sh"):
        shutil.copy(ROOT / "deploy" / name, made.folder / "deploy" / name)
    for name in ("night_training.yaml", "alerting.env.example"):
        shutil.copy(ROOT / "deploy" / name, made.folder / "deploy" / name)
    (made.folder / "prometheus").mkdir()
    for name in ("prometheus.yml", "alertmanager.yml", "receivers.sh"):
        shutil.copy(ROOT / "prometheus" / name, made.folder / "prometheus")
    (made.stub / "docker").write_text(ENGINE)
    (made.stub / "docker").chmod(0o755)
    return made
