"""``nighttrain autoscale`` against a real coordinator, with a stand-in for Docker and the script of make."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from common.host import host_identity
from common.protocol.trainers import HostLoad
from tests.cli.commands.conftest import Call
from tests.cli.conftest import command, environment
from tests.coordinator.specimens import Night, claim, hello

DOCKER = """#!/bin/sh
case "$*" in
  "compose ps --quiet trainer") cat containers ;;
  "info --format {{json .}}") echo '{"NCPU": 8, "MemTotal": 17179869184}' ;;
  *) echo "docker: no such words: $*" >&2; exit 1 ;;
esac
"""
SCRIPT = """#!/bin/sh
[ "$1" = scale ] && [ ! -e refuse ] || { echo "the stack is not running; run: make up" >&2; exit 1; }
seq "$2" > containers
echo "$2" >> scaled
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which `make up` has been called, with two containers of trainers."""
    root = tmp_path / "checkout"
    (root / "deploy" / "stack").mkdir(parents=True)
    (root / "bin").mkdir()
    (root / "docker-compose.yml").touch()
    (root / ".env").write_text("TRAINER_MEMORY=2048m\n")
    (root / "deploy" / "stack" / "stack.sh").write_text(SCRIPT)
    (root / "containers").write_text("one\ntwo\n")
    docker = root / "bin" / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{root / 'bin'}:{os.environ['PATH']}")
    monkeypatch.chdir(root)
    return root


def begin(work: Night, cores: int) -> None:
    """A night whose two trainers of this machine work and have reported so many cores."""
    work.begin(symbols=("BTCUSDT", "ETHUSDT", "XRPUSDT", "ADAUSDT", "SOLUSDT", "DOGEUSDT"))
    load = HostLoad(cpus=cores, cores=float(cores), cpu_pressure=0.0, run_ratio=0.9, wait_ratio=0.0)
    for number in (1, 2):
        one = hello(f"trainer-{number}", f"boot-{number}").model_copy(update={"host": host_identity()})
        work.queue.register(one)
        asked = claim(one.boot_id)
        pressure = asked.pressure.model_copy(update={"load": load})
        work.queue.claim(asked.model_copy(update={"pressure": pressure}))


def test_the_containers_become_as_many_as_may_work(checkout: Path, work: Night, say: Call) -> None:
    begin(work, cores=4)
    code, told, _ = say("autoscale", "--once", "--dry-run")
    assert code == 0 and "2 trainers would become 4: 4 cores may be used" in told
    assert not (checkout / "scaled").exists()
    code, told, _ = say("autoscale", "--once", "--json")
    document = json.loads(told)
    assert code == 0 and (document["trainers"], document["wanted"], document["scaled"]) == (2, 4, True)
    assert (checkout / "scaled").read_text() == "4\n"
    code, told, _ = say("autoscale", "--once")
    assert code == 0 and "4 trainers: 4 cores may be used" in told
    assert (checkout / "scaled").read_text() == "4\n"


def test_no_more_are_started_than_memory_bears_or_the_operator_allows(
    checkout: Path, work: Night, say: Call
) -> None:
    begin(work, cores=8)
    assert (
        "2 trainers would become 5: 8 cores may be used, and 1 to 5"
        in say("autoscale", "--once", "--dry-run")[1]
    )
    say("autoscale", "--once", "--max", 3)
    assert (checkout / "scaled").read_text() == "3\n"
    say("autoscale", "--once", "--min", 2, "--max", 2)
    assert (checkout / "scaled").read_text() == "3\n2\n"


def test_what_stands_in_the_way_is_one_line(checkout: Path, work: Night, say: Call) -> None:
    begin(work, cores=4)
    assert say("autoscale", "--once", "--min", 4, "--max", 3)[::2] == (
        2,
        "nighttrain: --max 3 is less than --min 4\n",
    )
    (checkout / "refuse").touch()
    code, _, error = say("autoscale", "--once")
    assert code == 1 and error.endswith("the stack is not running; run: make up\n")
    (checkout / "bin" / "docker").write_text(
        "#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2; exit 1\n"
    )
    code, _, error = say("autoscale", "--once", "--max", 4)
    assert code == 1 and error == "nighttrain: docker compose ps: Cannot connect to the Docker daemon\n"
    (checkout / ".env").unlink()
    code, _, error = say("autoscale", "--once")
    assert code == 2 and "go to the folder where make up was called" in error


def test_it_goes_on_while_the_coordinator_is_away_until_it_is_interrupted(checkout: Path) -> None:
    (checkout / "secrets").mkdir()
    token = checkout / "secrets" / "nighttrain_token"
    token.write_text("x" * 40)
    token.chmod(0o600)
    words = command("autoscale", "--url", "http://127.0.0.1:9", "--interval", "1")
    with subprocess.Popen(
        words,
        cwd=checkout,
        env=environment() | {"PATH": os.environ["PATH"]},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert "it is tried again" in process.stderr.readline()
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
