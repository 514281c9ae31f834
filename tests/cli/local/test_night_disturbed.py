"""Nights that are killed, interrupted or without room: nothing is lost, and the result is the same."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import GRID, ROOT, Outcome, command, environment
from tests.cli.nights import (
    Night,
    descendants,
    essence,
    going,
    held,
    interrupt,
    kill,
    only_results_of,
    until,
)
from tests.small_disk import Disk


def test_a_night_whose_processes_are_killed_ends_like_an_undisturbed_one(
    undisturbed: Night, candles: Path, tmp_path: Path
) -> None:
    with going(tmp_path, candles) as night:
        with held(night.pid, tmp_path):
            kill(night.pid, "trainer")
        kill(night.pid, "coordinator")
        kill(night.pid, "trainer")
        assert night.wait(120) == 0
    assert essence(only_results_of(tmp_path)) == essence(undisturbed[0])


def test_a_coordinator_that_is_killed_in_its_first_second_is_started_again(
    undisturbed: Night, candles: Path, tmp_path: Path
) -> None:
    with going(tmp_path, candles) as night:
        for _ in range(2):
            kill(night.pid, "coordinator")
        assert night.wait(120) == 0
    assert essence(only_results_of(tmp_path)) == essence(undisturbed[0])


def test_a_night_whose_trainers_all_refuse_to_start_ends_with_their_reason_and_can_be_continued(
    undisturbed: Night, candles: Path, tmp_path: Path
) -> None:
    out, data, away = tmp_path / "out", tmp_path / "candles", tmp_path / "away"
    shutil.copytree(candles, data)
    with going(out, data) as night:
        with held(night.pid, out):
            data.rename(away)
            kill(night.pid, "trainer")
        said, _ = night.communicate(timeout=60)
    assert night.returncode == 2
    assert f"cannot start and is tried again: the data folder {data} does not exist" in said
    assert f"no trainer can start: the data folder {data} does not exist" in said
    assert "then run the same command to continue" in said
    away.rename(data)
    with going(out, data) as night:
        assert night.wait(120) == 0
    assert essence(only_results_of(out)) == essence(undisturbed[0])


def test_an_interrupted_night_says_so_and_the_same_command_continues(
    undisturbed: Night, candles: Path, tmp_path: Path
) -> None:
    with going(tmp_path, candles) as night:
        with held(night.pid, tmp_path) as trainer:
            interrupt(night, trainer)
        said, _ = night.communicate(timeout=30)
    assert night.returncode == 130
    assert "progress is saved" in said
    assert not list((tmp_path / "logs").glob("batch_train_results_*.json"))
    with going(tmp_path, candles) as night:
        said, _ = night.communicate(timeout=120)
    assert night.returncode == 0
    assert re.search(r"resumes with [1-7] of 8 cells done", said)
    assert essence(only_results_of(tmp_path)) == essence(undisturbed[0])


def test_a_launcher_that_was_killed_leaves_no_process_behind_and_the_night_continues(
    undisturbed: Night, candles: Path, tmp_path: Path
) -> None:
    with going(tmp_path, candles) as night:
        with held(night.pid, tmp_path):
            children = descendants(night.pid)
            assert children
            night.kill()
        until(
            lambda: not [child for child in children if child.is_running() and child.status() != "zombie"],
            "its processes ending",
            20,
        )
    with going(tmp_path, candles) as night:
        assert night.wait(120) == 0
    assert essence(only_results_of(tmp_path)) == essence(undisturbed[0])


def test_ctrl_c_while_the_sample_is_made_is_heard_and_what_is_made_is_kept(tmp_path: Path) -> None:
    # Twenty symbols of ten years each would take minutes.
    symbols = [f"COIN{number}USDT" for number in range(20)]
    arguments = ["run", "--out", tmp_path, "--symbols", *symbols]
    process = subprocess.Popen(
        command(*arguments),
        cwd=tmp_path,
        env={**environment(), "PYTHONPATH": str(ROOT), "BT_NIGHT_DATA__SAMPLE__DAYS": "3650"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    made = tmp_path / "sample" / "COIN0USDT-1m-sample.parquet"
    until(made.exists, "a first symbol", 60)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert time.monotonic() - began < 30
    assert said.splitlines()[-1] == "interrupted; progress is saved: run the same command to continue"
    assert "19 of 20" not in said
    assert made.exists()
    assert not list((tmp_path / "sample").glob(".*"))


def test_a_full_disk_ends_the_command_in_time_and_loses_nothing(
    nighttrain: Callable[..., Outcome], candles: Path, small_disk: Disk, undisturbed: Night
) -> None:
    arguments = ["run", "--data", candles, "--out", small_disk.folder, "--trainers", 2, "--json", *GRID]
    full = nighttrain(*arguments, BT_NIGHT_RETRY__STORAGE_SECONDS="3")
    assert full.code == 1, full.err
    assert "Traceback" not in full.err
    assert full.err.splitlines()[-1].startswith("nighttrain: ")
    assert "nothing is lost: fix that, then run the same command to continue" in full.err
    small_disk.resize("300m")
    outcome = nighttrain(*arguments)
    assert outcome.code == 0, outcome.err
    assert essence(outcome.results()) == essence(undisturbed[0])


def test_an_interrupted_night_does_not_continue_on_other_candles(candles: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    shutil.copytree(candles, other)
    with going(out, candles) as night:
        with held(night.pid, out) as trainer:
            interrupt(night, trainer)
        night.communicate(timeout=30)
    with going(out, other) as night:
        said, _ = night.communicate(timeout=60)
    assert night.returncode == 2
    assert f"was begun on the candles in {candles.resolve()}, not on those in {other.resolve()}" in said
    assert "start over with nighttrain run --fresh" in said
