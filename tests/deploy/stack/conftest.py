"""The script behind `make up`, run by the real /bin/sh with an engine that only notes what it is asked."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

ENGINE = r"""#!/bin/sh
printf '%s\n' "$*" >>"$STUB/calls"
case "$*" in
'info '*) if [ -n "$STUB_NO_ENGINE" ]; then echo "$STUB_NO_ENGINE" >&2; exit 1; fi; echo '{"NCPU": 8}' ;;
'compose version --short') echo "$STUB_COMPOSE" ;;
'compose config' | 'compose config --quiet')
  [ -z "$STUB_MISTAKE" ] || { echo "$STUB_MISTAKE" >&2; exit 15; }
  cat <<END
name: ${COMPOSE_PROJECT_NAME:-nighttrain}
services:
  coordinator:
    image: nighttrain-coordinator
    ports:
      - mode: ingress
        host_ip: 127.0.0.1
        published: "${BT_NIGHT_DASHBOARD_PORT:-5000}"
  grafana:
    ports:
      - published: "${GRAFANA_PORT:-3000}"
  prometheus:
    ports:
      - published: "${PROMETHEUS_PORT:-9090}"
  volumes:
    image: python:3.13
secrets:
  alerting:
    name: nighttrain_alerting
    file: $PWD/deploy/alerting.env
x-images:
  grafana: grafana/grafana:1.2
  python: python:3.13@sha256:0000
END
  ;;
'compose --profile tools config --format json') echo '{"name": "nighttrain"}' ;;
'run --rm '*)
  twice=$(printf '%s\n' "$@" | sed -n 's/^127.0.0.1:\([0-9]*\):1$/\1/p' | sort | uniq -d)
  for port in $STUB_TAKEN $twice; do
    case "$*" in *" 127.0.0.1:$port:1 "*)
      echo "docker: Error from daemon: Bind for 127.0.0.1:$port failed: port is already allocated" >&2
      exit 125 ;;
    esac
  done ;;
'image inspect --format {{range .RepoDigests}}'*python*) echo 'python@sha256:1111' ;;
'image inspect --format {{range .RepoDigests}}'*) ;;
'image inspect '*) [ -n "$STUB_BUILT" ] || exit 1; echo 1 ;;
'compose --progress plain build'*)
  echo '#9 [build 2/8] RUN install'
  [ -z "$STUB_BUILD_SECONDS" ] || /bin/sleep "$STUB_BUILD_SECONDS"
  [ -z "$STUB_BUILD_FAILS" ] || { echo 'ERROR: no network'; exit 17; } ;;
'compose run --rm --no-deps -T stack prepare'*)
  cat >"$STUB/facts"
  [ -z "$STUB_REFUSES" ] || { echo "$STUB_REFUSES" >&2; exit "${STUB_CODE:-2}"; }
  printf '%s\n' 'wrote .env: 5 trainers' 'set TRAINERS=5' 'set CANDLES_DIR=./my data'
  echo "set NIGHTTRAIN_SAMPLE=$STUB_SAMPLE" ;;
'compose run --rm --no-deps -T stack '*) cat >/dev/null; echo "$*" ;;
'compose run --rm --no-deps -T alertmanager '*)
  [ -z "$STUB_ALERTING" ] || { echo "/run/secrets/alerting: $STUB_ALERTING" >&2; exit 1; } ;;
'compose ps --quiet coordinator') echo "$STUB_RUNNING" ;;
'compose ps --all --format json') echo '{"Service": "coordinator"}' ;;
'compose up '*) [ -z "$STUB_UP_FAILS" ] || { echo "$STUB_UP_FAILS"; exit 1; } ;;
'ps --all'*) printf '%s' "$STUB_FOLDER" ;;
'ps --filter'*) printf '%s' "$STUB_HELD" ;;
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
                "XDG_RUNTIME_DIR": str(self.home),
                "STUB": str(self.stub / "notes"),
                "STUB_COMPOSE": "2.26.1-4",
                "STUB_BUILT": "1",
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

    def refused(self, *arguments: str, lines: int = 1, **environment: str) -> str:
        said = self.run(*arguments, **environment)
        assert said.code == 2, said
        assert not any(call.startswith("compose up") for call in self.calls())
        assert said.err.startswith("nighttrain: ") and said.err.count("\n") == lines, said.err
        return said.err

    def calls(self) -> list[str]:
        path = self.stub / "notes" / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def called(self, words: str) -> bool:
        return any(words in call for call in self.calls())

    def facts(self) -> str:
        return (self.stub / "notes" / "facts").read_text()

    def compose(self, command: str = "up") -> dict[str, str]:
        """Return the environment that Compose had for its last call of this command."""
        lines = (self.stub / "notes" / command).read_bytes().decode().split("\n")
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def replace(self, command: str, script: str) -> None:
        """Put another command in the place of one that the script calls."""
        (self.stub / command).write_text(f"#!/bin/sh\n{script}\n")
        (self.stub / command).chmod(0o755)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    made = Copy(tmp_path / "a checkout", tmp_path / "stub", tmp_path / "home")
    for name in (made.folder / "deploy" / "stack", made.stub, made.home):
        name.mkdir(parents=True)
    for name in ("stack/stack.sh", "night_training.yaml", "alerting.env.example"):
        shutil.copy(ROOT / "deploy" / name, made.folder / "deploy" / name)
    made.replace("docker", ENGINE.partition("\n")[2])
    return made


ME = (str(os.getuid()), str(os.getgid()))
