"""`nighttrain up`: one process tree that stays, with real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.cli.conftest import Outcome
from tests.cli.nights import (
    Night,
    begun,
    cells_done,
    descendants,
    essence,
    only_results_of,
    process_of,
    status,
    until,
)

GRID = "symbols: [BTCUSDT, XRPUSDT]\ntimeframes: [15m, 1h]\nhorizons: [1, 3]\nnum_workers: 1\n"
ONE_CELL = "symbols: [BTCUSDT]\ntimeframes: [1h]\nhorizons: [1]\nnum_workers: 1\n"


@contextmanager
def service_manager() -> Iterator[tuple[str, list[str]]]:
    """A socket as systemd has one for a service of Type=notify, and what comes by it."""
    heard: list[str] = []
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(f"{folder}/notify")

        def listen() -> None:
            while (message := end.recv(4096).decode()) != "over":
                heard.append(message)

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            yield f"{folder}/notify", heard
        finally:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
                own.sendto(b"over", f"{folder}/notify")
            listener.join()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "night.yaml"
    path.write_text(GRID)
    return path


def words(config: Path, candles: Path, out: Path) -> list[object]:
    return ["up", "--config", config, "--data", candles, "--out", out]


def run_of(out: Path) -> dict[str, Any] | None:
    document = status(out)
    run: dict[str, Any] | None = document["run"] if document else None
    return run


def over(out: Path) -> Callable[[], dict[str, Any] | None]:
    def reached() -> dict[str, Any] | None:
        run = run_of(out)
        return run if run and run["state"] == "done" and run["results_path"] else None

    return reached


def nights_begun(out: Path) -> int:
    with sqlite3.connect(f"file:{out / 'nighttrain.db'}?mode=ro", uri=True) as database:
        return int(database.execute("SELECT count(*) FROM runs").fetchone()[0])


def ended(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    return process.returncode, said


def test_without_a_window_it_waits_for_start_and_stays_when_the_night_is_over(
    nighttrain: Callable[..., Outcome], candles: Path, tmp_path: Path, config: Path, undisturbed: Night
) -> None:
    out = tmp_path / "out"
    with begun(*words(config, candles, out)) as up:
        until(lambda: status(out), "the coordinator")
        second = nighttrain(*words(config, candles, out))
        assert (second.code, second.err.count("\n")) == (2, 1)
        assert "another run is going there" in second.err and str(up.pid) in second.err
        beside = nighttrain("run", "--config", config, "--data", candles, "--out", out)
        assert (beside.code, beside.err.count("\n")) == (2, 1)
        assert run_of(out) is None
        until(lambda: "no night is running" in _log(out), "that it says how to begin one")
        started = nighttrain("start", "--config", config, "--out", out)
        assert started.code == 0, started.err
        until(cells_done(out, 1), "a first cell", 240)
        # Whatever is killed comes back, as in nighttrain run.
        for module in ("coordinator", "trainer"):
            victim = until(lambda module=module: process_of(up.pid, module), f"a {module} process")
            victim.kill()
        until(over(out), "the end of the night", 300)
        until(lambda: "night 1 is over" in _log(out), "that the launcher has seen it")
        page = httpx.get(f"{_address(out)}/", headers={"Accept": "text/html"}, timeout=30)
        assert page.status_code == 200 and "Nighttrain" in page.text
        code, said = ended(up, signal.SIGTERM)
    assert code == 0, said
    begins = f"nighttrain start --out {out} --config {config} --data {candles}"
    assert f"no night is running; without a window one begins by {begins}" in said
    assert "night 1 is over: 8 of 8 cells trained, 0 failed" in said
    assert said.splitlines()[-1] == "stopped; all is saved: the same command goes on from here"
    assert essence(only_results_of(out)) == essence(undisturbed[0])


def fits(results: dict[str, Any]) -> list[dict[str, Any]]:
    """What of the cells of both horizons does not depend on how many others there are."""
    cells = [cell for cell in essence(results) if cell["horizon"] in (1, 3)]
    return [{key: cell[key] for key in cell if key not in ("promoted", "reasons")} for cell in cells]


def _address(out: Path) -> str:
    return str(json.loads((out / "coordinator.json").read_text())["url"])


def test_now_begins_a_night_ctrl_c_says_what_is_saved_and_up_goes_on_from_there(
    candles: Path, tmp_path: Path, config: Path, undisturbed: Night
) -> None:
    out = tmp_path / "out"
    # Eight cells may be done before the signal is there.
    config.write_text(GRID.replace("[1, 3]", str([*range(1, 21)])))
    with begun(*words(config, candles, out), "--now") as up:
        until(cells_done(out, 1), "a first cell", 240)
        children = descendants(up.pid)
        code, said = ended(up, signal.SIGINT)
    assert code == 130
    assert "stopping: " in said and said.splitlines()[-1].startswith("stopped; all is saved")
    assert not [child for child in children if child.is_running() and child.status() != "zombie"]
    with begun(*words(config, candles, out)) as up:
        until(over(out), "the end of the night", 300)
        code, said = ended(up, signal.SIGTERM)
    assert code == 0 and "night 1 goes on: " in said
    assert fits(only_results_of(out)) == fits(undisturbed[0])


def test_two_ctrl_c_end_it_at_once_and_leave_no_process_behind(
    candles: Path, tmp_path: Path, config: Path
) -> None:
    out = tmp_path / "out"
    # Eight cells may be done before the signal is there.
    config.write_text(GRID.replace("[1, 3]", str([*range(1, 21)])))
    with begun(*words(config, candles, out), "--now") as up:
        until(cells_done(out, 1), "a first cell", 240)
        children = descendants(up.pid)
        up.send_signal(signal.SIGINT)
        until(lambda: up.poll() is not None or "stopping" in _log(out), "that it stops", 30)
        up.send_signal(signal.SIGINT)
        assert up.wait(20) == 130
        until(
            lambda: not [child for child in children if child.is_running() and child.status() != "zombie"],
            "its processes ending",
            30,
        )


def _log(out: Path) -> str:
    return (out / "logs" / "night_training_launcher.log").read_text()


@pytest.mark.parametrize("again", ["killed", "stopped"])
def test_a_night_by_the_clock_begins_once_though_up_ends_and_comes_back_in_that_minute(
    candles: Path, tmp_path: Path, again: str
) -> None:
    now = datetime.now(UTC)
    window = f'{{start: "{now:%H:%M}", end: "{now + timedelta(hours=3):%H:%M}"}}'
    config, out = tmp_path / "night.yaml", tmp_path / "out"
    config.write_text(f"{ONE_CELL}window: {window}\n")
    with begun(*words(config, candles, out)) as up:
        until(lambda: run_of(out), "a night by the clock")
        if again == "stopped":
            until(over(out), "its end", 240)
        up.send_signal(signal.SIGKILL if again == "killed" else signal.SIGTERM)
        up.wait(60)
    with begun(*words(config, candles, out)) as up:
        until(over(out), "the end of the night", 240)
        until(lambda: "begins when the window opens" in _log(out), "that the next one is waited for", 60)
        code, said = ended(up, signal.SIGTERM)
    assert code == 0, said
    assert nights_begun(out) == 1


def test_a_changed_file_is_taken_up_and_a_broken_one_said(candles: Path, tmp_path: Path) -> None:
    config, out = tmp_path / "night.yaml", tmp_path / "out"
    config.write_text(ONE_CELL)
    with (
        service_manager() as (address, told_states),
        begun(*words(config, candles, out), NOTIFY_SOCKET=address) as up,
    ):
        until(lambda: process_of(up.pid, "trainer"), "a trainer")
        config.write_text(
            ONE_CELL.replace("num_workers: 1", "num_workers: 2") + "max_memory_per_process: 1.5\n"
        )

        def trainers() -> list[list[str]]:
            lines = []
            for child in descendants(up.pid):
                # Those with the limit of before end meanwhile.
                with suppress(psutil.NoSuchProcess):
                    lines += [child.cmdline()] if child.status() != "zombie" else []
            found = [line for line in lines if line[1:3] == ["-m", "trainer"] and "--name" in line]
            return found if len(found) >= 2 and all("1.5" in line for line in found) else []

        until(trainers, "two trainers with the new limit", 60)
        config.write_text("num_workers: many\n")
        said = until(
            lambda: [one for one in (status(out) or {"warnings": []})["warnings"] if "num_workers" in one],
            "a warning on the status",
        )
        assert said[0].endswith("the configuration of before stays in force")
        config.write_text(ONE_CELL + 'window: {start: "03:00", end: "02:59"}\ntraining: false\n')
        until(lambda: (status(out) or {}).get("night", {}).get("closes"), "the window")
        assert not [one for one in (status(out) or {"warnings": []})["warnings"] if "num_workers" in one]
        until(lambda: "training is false" in _log(out), "that the launcher has seen it")
        code, told = ended(up, signal.SIGTERM)
    assert code == 0
    assert told_states[0] == "READY=1" and told_states[-1] == "STOPPING=1"
    assert "STATUS=no night is running" in told_states
    assert "num_workers from 1 to 2" in told and "none begins: training is false" in told
    assert nights_begun(out) == 0


def test_a_taken_port_is_one_line(
    nighttrain: Callable[..., Outcome], candles: Path, tmp_path: Path, config: Path, taken_port: int
) -> None:
    outcome = nighttrain(
        *words(config, candles, tmp_path / "out"), "--port", taken_port, BT_NIGHT_DASHBOARD__ENABLED="true"
    )
    assert outcome.code == 2
    assert str(taken_port) in outcome.err and str(os.getpid()) in outcome.err
    assert outcome.err.count("\n") == 1


def test_the_nights_of_a_grid_by_options_are_shown_though_the_configuration_has_no_candles(
    nighttrain: Callable[..., Outcome], candles: Path, tmp_path: Path, undisturbed: Night
) -> None:
    out, config = tmp_path / "out", tmp_path / "night.yaml"
    shutil.copytree(undisturbed[1], out)
    config.write_text(ONE_CELL.replace("[BTCUSDT]", "[BTCUSDT, ADAUSDT, SOLUSDT]"))
    told = f"{candles}: has candles for 1 of 3 cells"
    with begun(*words(config, candles, out)) as up:
        until(lambda: status(out), "the coordinator")
        page = httpx.get(f"{_address(out)}/nights", headers={"Accept": "text/html"}, timeout=30).text
        assert "/nights/1" in page
        _, said = ended(up, signal.SIGTERM)
    assert f"warning: {told}" in said
    refused = nighttrain(*words(config, candles, out), "--now")
    assert refused.code == 2 and told in refused.err


def test_after_run_its_last_lines_say_how_to_look_again_and_up_shows_it(
    candles: Path, tmp_path: Path, undisturbed: Night
) -> None:
    out, config = tmp_path / "out", tmp_path / "night.yaml"
    shutil.copytree(undisturbed[1], out)
    config.write_text(GRID)
    with begun(
        "run",
        "--config",
        config,
        "--data",
        candles,
        "--out",
        out,
        "--symbols",
        "BTCUSDT",
        "--timeframes",
        "1h",
    ) as run:
        said, _ = run.communicate(timeout=240)
    look = said.splitlines()[-1]
    assert look.startswith(
        f"page    nighttrain up --out {out} --config {config} --data {candles} shows it again"
    )
    with begun(*words(config, candles, out)) as up:
        until(lambda: status(out), "the coordinator")
        page = httpx.get(f"{_address(out)}/nights", headers={"Accept": "text/html"}, timeout=30).text
        assert "/nights/1" in page or "run=1" in page or "night 1" in page.lower()
        ended(up, signal.SIGTERM)
