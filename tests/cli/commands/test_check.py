"""`nighttrain check`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from cli.app import main
from cli.local.fit import AGENT_BYTES
from cli.local.requirement import State, failed, ok, warning, worst
from cli.local.stack_check import boards, compose, docker
from common.protocol.address import Address
from coordinator.app import make_app
from coordinator.assembly import Parts
from tests.cli.conftest import ROOT, Outcome
from tests.cli.terminal import in_terminal, plain
from tests.coordinator.conftest import parts, served  # noqa: F401

ALONE = 256 * AGENT_BYTES

GRID = "symbols: [BTCUSDT, XRPUSDT]\ntimeframes: [15m, 1h]\nhorizons: [1]\n"


@pytest.fixture(autouse=True)
def no_settings_in_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("BT_NIGHT_"):
            monkeypatch.delenv(name)


@pytest.fixture
def checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, dict[str, Any]]]:
    config = tmp_path / "night.yaml"

    def call(*words: object, grid: str = GRID) -> tuple[int, dict[str, Any]]:
        config.write_text(grid + "dashboard: {port: 0}\n" * ("dashboard" not in grid))
        base = ["check", "--config", config, "--out", tmp_path / "out", "--no-stack", "--json", *words]
        code = main([str(word) for word in base])
        document = json.loads(capsys.readouterr().out)
        return code, {one["name"]: one for one in document["requirements"]}

    return call


def test_all_is_well_where_candles_are(checked: Callable[..., Any], candles: Path) -> None:
    code, found = checked("--data", candles)
    assert code == 0
    assert found["candles"]["state"] == "ok"
    assert "candles for 4 of 4 series" in found["candles"]["found"]
    assert "GiB needed (by the size of the candles," in found["disk"]["found"]
    assert found["python"]["state"] == found["parts"]["state"] == "ok"
    assert set(found) == {
        "python", "parts", "configuration", "cores", "memory", "disk", "candles", "time zone",
        "port of coordinator", "coordinator",
    }  # fmt: skip


def test_the_object_store_is_written_and_read_where_one_is_configured(
    checked: Callable[..., Any], candles: Path, tmp_path: Path
) -> None:
    grid = f"{GRID}artifacts: file://{tmp_path}/disk/store\n"
    code, found = checked("--data", candles, grid=grid)
    assert code == 0
    assert found["artifacts"]["state"] == "warning" and "is not there" in found["artifacts"]["found"]
    (tmp_path / "disk").mkdir()
    code, found = checked("--data", candles, grid=grid)
    assert code == 0
    assert found["artifacts"]["state"] == "ok"
    assert found["artifacts"]["found"] == f"file://{tmp_path}/disk/store can be written and read"
    assert list((tmp_path / "disk" / "store").iterdir()) == []


def test_each_line_says_what_to_do(checked: Callable[..., Any], candles: Path, taken_port: int) -> None:
    grid = f"symbols: [DOGEUSDT]\nmax_memory_per_process: 90000\ndashboard: {{port: {taken_port}}}\n"
    code, found = checked("--data", candles, grid=grid)
    assert code == 1
    wrong = {name: one for name, one in found.items() if one["state"] != "ok"}
    assert {"memory", "candles", "port of coordinator"} <= set(wrong)
    assert all(one["todo"] for one in wrong.values())
    assert f"127.0.0.1:{taken_port}: Address already in use" in wrong["port of coordinator"]["found"]


def test_a_port_that_another_night_holds_is_not_free(
    checked: Callable[..., Any],
    candles: Path,
    tmp_path: Path,
    parts: Parts,  # noqa: F811
) -> None:
    with served(make_app(parts)) as url:
        grid = f"{GRID}dashboard: {{port: {url.rsplit(':', 1)[1]}}}\n"
        code, found = checked("--data", candles, grid=grid)
        assert (code, found["port of coordinator"]["state"]) == (1, "failed")
        assert "another coordinator has it" in found["port of coordinator"]["found"]
        (tmp_path / "out").mkdir()
        own = Address(url=url, pid=os.getpid()).model_dump_json()
        (tmp_path / "out" / "coordinator.json").write_text(own)
        assert checked("--data", candles, grid=grid)[1]["port of coordinator"]["state"] == "ok"


def test_more_trainers_than_the_machine_bears_are_told(checked: Callable[..., Any], candles: Path) -> None:
    _, found = checked("--data", candles, grid=f"{GRID}num_workers: 256\n")
    assert found["memory"]["state"] == ("failed" if psutil.virtual_memory().available < ALONE else "warning")
    assert "more trainers than this machine bears" in found["memory"]["found"]


def test_a_folder_that_lacks_some_is_a_warning(checked: Callable[..., Any], candles: Path) -> None:
    code, found = checked("--data", candles, grid=GRID.replace("XRPUSDT", "DOGEUSDT"))
    assert code == 0
    assert found["candles"]["state"] == "warning"
    assert "some lacking of DOGEUSDT" in found["candles"]["found"]


def test_a_mistake_in_the_configuration_is_its_line(checked: Callable[..., Any]) -> None:
    code, found = checked(grid="n_splits: many\n")
    assert code == 1
    assert found["configuration"]["state"] == "failed"
    assert "n_splits: must be" in found["configuration"]["found"]


def test_a_mistake_in_the_environment_is_not_to_be_corrected_in_the_file(
    checked: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BT_NIGHT_N_SPLITS", "many")
    _, found = checked()
    assert found["configuration"]["found"].startswith("environment: n_splits: must be")
    assert found["configuration"]["todo"] == "correct or unset the variable BT_NIGHT_..."
    monkeypatch.delenv("BT_NIGHT_N_SPLITS")
    assert checked(grid="n_splits: many\n")[1]["configuration"]["todo"] == "correct the file"


def test_a_window_in_another_zone_is_a_warning(
    checked: Callable[..., Any], candles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = 'window: {start: "22:00", end: "06:00", timezone: Pacific/Kiritimati}\n'
    _, found = checked("--data", candles, grid=GRID + window)
    assert found["time zone"]["state"] == "warning"
    assert "Pacific/Kiritimati" in found["time zone"]["found"]


def test_a_folder_that_cannot_be_written_fails(checked: Callable[..., Any], tmp_path: Path) -> None:
    code, found = checked("--out", "/proc/night")
    assert (code, found["disk"]["state"]) == (1, "failed")
    assert found["disk"]["found"].startswith("/proc: cannot be written")


def test_docker_and_compose_are_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "docker"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert docker() == failed("docker", "docker: No such file or directory", "install or start Docker")

    def says(text: str, code: int = 0) -> None:
        program.write_text(f"#!/bin/sh\necho '{text}'\nexit {code}\n")
        program.chmod(0o755)

    says("20.10.5 8 17179869184")
    assert docker() == ok("docker", "engine 20.10.5, 8 cores, 16.0 GiB")
    says("Cannot connect to the Docker daemon", 1)
    assert docker().state is State.FAILED
    for version, state in (("2.24.0", State.OK), ("v2.26.1-4", State.OK), ("2.9.0", State.FAILED)):
        says(version)
        assert compose().state is state


def test_the_boards_must_be_readable(tmp_path: Path) -> None:
    assert boards(ROOT).state is State.OK
    assert boards(tmp_path).state is State.FAILED
    (tmp_path / "grafana").mkdir()
    (tmp_path / "grafana" / "provisioning").symlink_to(ROOT / "grafana" / "provisioning")
    assert "holds no board" in boards(tmp_path).found
    (tmp_path / "grafana" / "dashboards").mkdir()
    (tmp_path / "grafana" / "dashboards" / "night.json").write_text("{")
    assert "night.json: cannot be read" in boards(tmp_path).found


def test_the_worst_counts() -> None:
    assert worst([ok("a", "")]) is State.OK
    assert worst([ok("a", ""), warning("b", "", "")]) is State.WARNING
    assert worst([failed("a", "", ""), warning("b", "", "")]) is State.FAILED


def test_states_are_coloured_on_a_terminal(candles: Path, tmp_path: Path) -> None:
    shown = in_terminal("check", "--data", candles, "--out", tmp_path, "--no-stack")
    assert "\x1b[32mok " in shown.out
    lines = plain(shown.out).splitlines()
    assert any(line.startswith("ok       python ") for line in lines)
    assert any(line.strip().startswith("-> ") for line in lines)


def test_nothing_is_coloured_in_a_pipe(
    nighttrain: Callable[..., Outcome], candles: Path, tmp_path: Path
) -> None:
    piped = nighttrain("check", "--data", candles, "--out", tmp_path, "--no-stack")
    assert "\x1b" not in piped.out
    assert "python" in piped.out
