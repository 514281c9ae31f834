"""`nighttrain run`: its options, and mistakes in them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cli.local.fit import AGENT_BYTES
from tests.cli.conftest import ROOT, Outcome, environment


def test_make_run_trains_with_the_arguments_that_it_is_given(candles: Path, tmp_path: Path) -> None:
    arguments = f"--data {candles} --out {tmp_path} --symbols BTCUSDT --timeframes 1h --horizons 1"
    done = subprocess.run(
        ["make", "run", f"ARGS={arguments}"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    assert "1 of 1 cells trained" in done.stdout


def test_what_make_starts_keeps_compiled_modules_whatever_the_environment_says() -> None:
    show = "show: ; @$(BIN)/python -c 'import sys; print(sys.dont_write_bytecode)'"
    done = subprocess.run(
        ["make", "--no-print-directory", "--eval", show, "show"],
        cwd=ROOT,
        env={**environment(), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "False\n", done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "/no/such/folder"], "/no/such/folder: no such folder"),
        (["--config", "/no/such/file.yaml"], "/no/such/file.yaml: no such file"),
        (["--timeframes", "7m"], "'7m' is not a timeframe"),
        (["--symbols", "BTCUSDT", "BTC/USDT"], "named twice"),
        (["--horizons", "one"], "horizons"),
        (["--trainers", "0"], "num_workers: must be auto or a whole number"),
    ],
)
def test_a_mistake_is_one_line_that_names_it_and_nothing_is_started(
    nighttrain: Callable[..., Outcome], candles: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    out = tmp_path / "night"
    outcome = nighttrain(
        "run", "--out", out, *(["--data", candles] if "--data" not in arguments else []), *arguments
    )
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (out / "nighttrain.db").exists()


def test_an_empty_data_folder_is_refused(nighttrain: Callable[..., Outcome], tmp_path: Path) -> None:
    outcome = nighttrain("run", "--data", tmp_path, "--out", tmp_path.with_name("out"))
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "has no files in it" in outcome.err


@pytest.mark.parametrize(
    ("text", "env", "hint"),
    [
        ("training: false\n", {}, "set training: true in {config}"),
        ("", {"BT_NIGHT_TRAINING": "false"}, "unset BT_NIGHT_TRAINING"),
    ],
)
def test_switched_off_training_starts_nothing_and_says_how_to_switch_it_on(
    nighttrain: Callable[..., Outcome], tmp_path: Path, text: str, env: dict[str, str], hint: str
) -> None:
    config = tmp_path / "night.yaml"
    config.write_text(text)
    outcome = nighttrain("run", "--config", config, "--out", tmp_path / "out", **env)
    assert outcome.code == 2
    assert hint.format(config=config) in outcome.err
    assert not (tmp_path / "out").exists()


def test_help_explains_with_examples_and_exit_codes(nighttrain: Callable[..., Outcome]) -> None:
    outcome = nighttrain("run", "--help")
    assert outcome.code == 0
    assert "examples:" in outcome.out
    assert "130" in outcome.out


@pytest.mark.skipif(psutil.virtual_memory().available > 256 * AGENT_BYTES, reason="this machine bears them")
def test_trainers_that_would_fill_the_memory_by_themselves_are_refused(
    nighttrain: Callable[..., Outcome], candles: Path, tmp_path: Path
) -> None:
    outcome = nighttrain("run", "--data", candles, "--out", tmp_path / "night", "--trainers", 256)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "more trainers than this machine bears" in outcome.err and "--trainers" in outcome.err
    assert not (tmp_path / "night").exists()
