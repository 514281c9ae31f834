"""`nighttrain config`, by the words that people type."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.app import main
from tests.cli.conftest import ROOT, Outcome, command, environment
from tests.cli.terminal import in_terminal, plain

DOCUMENTED = (ROOT / "deploy" / "night_training.yaml").read_text()
Run = Callable[..., Outcome]
SYMBOLS = "symbols: [BTCUSDT, ETHUSDT, ADAUSDT, SOLUSDT, DOGEUSDT, XRPUSDT"
FOUR = "symbols: [ETHUSDT, ADAUSDT, SOLUSDT, DOGEUSDT]"
SCORES = "promote_if: {min_auc: 0.53, max_brier: 0.25, min_acc: 0.51}"


@pytest.fixture(autouse=True)
def no_settings_in_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("BT_NIGHT_"):
            monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "night.yaml"
    path.write_text(DOCUMENTED)
    return path


@pytest.fixture
def run(file: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object) -> Outcome:
        code = main(["config", "--config", str(file), *map(str, words)])
        return Outcome(code, *capsys.readouterr())

    return call


def changed_lines(before: str, after: str) -> list[str]:
    old = before.splitlines()
    assert len(old) == len(after.splitlines())
    return [new for was, new in zip(old, after.splitlines(), strict=True) if was != new]


def values(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


class TestEdits:
    @pytest.mark.parametrize(
        ("words", "line"),
        [
            (["--add-symbol", "MATIC/USDT"], SYMBOLS + ", MATICUSDT]"),
            (["add-symbol", "MATICUSDT"], SYMBOLS + ", MATICUSDT]"),
            (["--remove-symbol", "BTCUSDT", "--remove-symbol", "XRPUSDT"], FOUR),
            (["remove-symbol", "BTCUSDT", "XRPUSDT"], FOUR),
            (["--set-timeframes", "1m", "5m", "1h"], "timeframes: [1m, 5m, 1h]"),
            (["set-timeframes", "1h", "1m"], "timeframes: [1h, 1m]"),
            (["--set-horizons", "1", "10"], "horizons: [1, 10]"),
            (["set-horizons", "2"], "horizons: [2]"),
            (["--set-thresholds", "0.53", "0.25", "0.51"], SCORES),
            (["set-thresholds", "0.53", "0.25", "0.51"], SCORES),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )  # fmt: skip
    def test_change_their_line_and_no_other(self, run: Run, file: Path, words: list[str], line: str) -> None:
        done = run(*words)
        assert (done.code, done.err) == (0, "")
        [changed] = changed_lines(DOCUMENTED, file.read_text())
        assert changed.startswith(line + " ")
        assert changed.partition("#")[2] != ""
        assert "\n+" + line in done.out

    def test_keep_comments_order_line_ends_mode_and_link(self, run: Run, file: Path, tmp_path: Path) -> None:
        own = tmp_path / "own.yaml"
        before = (
            "# mine\r\nhorizons:   [1,3]  # bars\r\nsymbols:\r\n- BTCUSDT   # the first\r\n- ETHUSDT\r\n"
            "window: null\r\n"
        )
        own.write_bytes(before.encode())
        own.chmod(0o640)
        file.unlink()
        file.symlink_to(own)
        assert run("--remove-symbol", "ETHUSDT", "--add-symbol", "XRPUSDT").code == 0
        assert own.read_bytes().decode() == before.replace("ETHUSDT", "XRPUSDT")
        assert own.stat().st_mode & 0o777 == 0o640
        assert file.is_symlink()

    def test_go_into_a_file_that_lacks_the_key(self, run: Run, file: Path) -> None:
        file.write_text("# only this\nhorizons: [1]\n")
        assert run("--add-symbol", "MATICUSDT", "--set-thresholds", "0.6", "0.26", "0.5").code == 0
        assert file.read_text().startswith("# only this\nhorizons: [1]\n")
        assert values(file)["symbols"][-2:] == ["XRPUSDT", "MATICUSDT"]
        assert values(file)["promote_if"] == {"min_auc": 0.6}

    def test_are_refused_as_a_whole(self, run: Run, file: Path) -> None:
        for words, said in (
            (["--add-symbol", "MATICUSDT", "--set-timeframes", "7m"], "timeframes: '7m' is not a timeframe"),
            (["--set-horizons", "0"], "horizons.0: must be greater than or equal to 1; got 0"),
            (["--remove-symbol", "FOOUSDT"], "symbols: FOOUSDT is not there (there are BTCUSDT, "),
            (["--set-thresholds", "0.5", "0.2"], "--set-thresholds takes three numbers; got 2"),
            (
                ["--set-thresholds", "1.5", "0.2", "0.5"],
                "promote_if.min_auc: must be less than or equal to 1",
            ),
            (["--remove-symbol", *values(file)["symbols"]], "symbols: must name at least one"),
        ):
            done = run(*words)
            assert (done.code, done.out) == (2, "")
            assert said in done.err
            assert done.err.count("\n") == 1
            assert file.read_text() == DOCUMENTED

    def test_are_refused_in_a_file_that_is_not_valid(self, run: Run, file: Path) -> None:
        file.write_text("symbols: [BTCUSDT]\nnum_worker: 2\n")
        done = run("--add-symbol", "ETHUSDT")
        assert done.code == 2
        assert done.err == f"nighttrain: {file}: num_worker: unknown key; did you mean num_workers?\n"

    def test_that_change_nothing_write_nothing(self, run: Run, file: Path) -> None:
        before = file.stat().st_mtime_ns
        assert run("--add-symbol", "BTC_USDT").out == f"{file}: nothing to change\n"
        assert file.stat().st_mtime_ns == before

    def test_can_be_tried_without_being_made(self, run: Run, file: Path) -> None:
        done = run("--set-horizons", "7", "--dry-run")
        assert "\n+horizons: [7]" in done.out
        assert file.read_text() == DOCUMENTED

    def test_say_what_the_environment_overrides(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BT_NIGHT_HORIZONS", "1,3")
        assert (
            "note: BT_NIGHT_HORIZONS in the environment overrides horizons" in run("--set-horizons", "7").out
        )

    def test_by_many_at_once_are_all_kept(self, file: Path) -> None:
        symbols = [f"COIN{number}USDT" for number in range(6)]
        editors = [
            subprocess.Popen(
                command("config", "--config", file, "--add-symbol", symbol),
                cwd=ROOT,
                env=environment(),
                stdout=subprocess.DEVNULL,
            )
            for symbol in symbols
        ]
        assert [editor.wait(60) for editor in editors] == [0] * 6
        assert set(symbols) <= set(values(file)["symbols"])
        assert len(changed_lines(DOCUMENTED, file.read_text())) == 1


class TestCreate:
    def test_makes_a_documented_file_that_fits_the_machine(self, run: Run, file: Path) -> None:
        file.unlink()
        done = run("--create", "--optimize")
        assert done.code == 0
        assert done.out.startswith(f"{file}: made, every key explained\n")
        assert all(
            line.startswith(("num_workers: ", "max_memory"))
            for line in changed_lines(DOCUMENTED, file.read_text())
        )
        assert 1 <= values(file)["num_workers"] <= len(os.sched_getaffinity(0))

    def test_keeps_what_is_there(self, run: Run, file: Path) -> None:
        assert run("create").out == f"{file}: is there already, and was kept\n"
        assert file.read_text() == DOCUMENTED

    def test_says_where_it_cannot_be(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "file").write_text("")
        assert main(["config", "--config", str(tmp_path / "file" / "night.yaml"), "--create"]) == 2
        assert str(tmp_path / "file") in capsys.readouterr().err


class TestOptimize:
    def test_goes_by_the_memory_of_measured_nights(
        self, undisturbed: tuple[dict[str, Any], Path], run: Run, file: Path
    ) -> None:
        results, out = undisturbed
        done = run("optimize", "--out", out, "--json")
        told = {one["key"]: one for one in json.loads(done.out)["changes"]}
        peak = results["totals"]["peak_memory_bytes"] / 1024**3
        assert f"took {peak:.2f} GiB" in told["max_memory_per_process"]["why"]
        assert peak < values(file)["max_memory_per_process"] < 2.0

    def test_takes_no_night_for_measured_that_reused_what_it_has(
        self, undisturbed: tuple[dict[str, Any], Path], run: Run, tmp_path: Path
    ) -> None:
        results, _ = undisturbed
        few = {"reused": 1, "peak_memory_bytes": 1024**2}
        for second in range(6):
            totals = results["totals"] | (few if second else {})
            kept = tmp_path / "logs" / f"batch_train_results_20260301_00000{second}.json"
            kept.parent.mkdir(exist_ok=True)
            kept.write_text(json.dumps(results | {"totals": totals}))
        done = run("optimize", "--out", tmp_path, "--json")
        told = {one["key"]: one for one in json.loads(done.out)["changes"]}
        peak = results["totals"]["peak_memory_bytes"] / 1024**3
        assert f"took {peak:.2f} GiB" in told["max_memory_per_process"]["why"]


class TestShow:
    def test_names_the_source_of_each_value(
        self, run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file.write_text("horizons: [2]\ndashboard: {port: 5001}\n")
        monkeypatch.setenv("BT_NIGHT_WORKERS", "3")
        told = json.loads(run("--show", "--json").out)["values"]
        assert told["horizons"] == {"value": [2], "source": str(file)}
        assert told["dashboard.port"] == {"value": 5001, "source": str(file)}
        assert told["dashboard.host"] == {"value": "127.0.0.1", "source": "default"}
        assert told["num_workers"] == {"value": 3, "source": "environment"}
        lines = [line.split() for line in run("show").out.splitlines()]
        assert ["num_workers", "3", "environment"] in lines

    def test_is_readable_in_a_terminal(self, file: Path) -> None:
        done = in_terminal("config", "--config", file, "--show")
        assert done.code == 0
        assert "\x1b" not in done.out
        assert "memory_threshold" in done.out


class TestValidate:
    def test_says_what_is_valid(self, run: Run, file: Path) -> None:
        assert run("--validate").out == f"{file}: valid: 108 cells\n"
        assert json.loads(run("validate", "--json").out) == {"file": str(file), "valid": True, "cells": 108}

    def test_says_what_is_not(self, run: Run, file: Path) -> None:
        file.write_text("n_splits: many\n")
        done = run("--validate")
        assert (done.code, done.out) == (2, "")
        assert f"{file}: n_splits: must be" in done.err


def test_a_difference_is_coloured_on_a_terminal_alone(file: Path, nighttrain: Run) -> None:
    shown = in_terminal("config", "--config", file, "--add-symbol", "MATICUSDT")
    assert "\x1b[32m+symbols: " in shown.out
    assert "+symbols: [" in plain(shown.out)
    piped = nighttrain("config", "--config", file, "--add-symbol", "DOTUSDT")
    assert "+symbols: [" in piped.out
    assert "\x1b" not in piped.out


def test_an_option_and_a_command_do_not_mix(run: Run) -> None:
    done = run("--show", "add-symbol", "MATICUSDT")
    assert done.code == 2
    assert done.err.startswith("nighttrain config: options that do something stand alone")
    assert run().code == 2


def test_the_commands_of_the_readme_do_what_they_say(tmp_path: Path, nighttrain: Run) -> None:
    block = (ROOT / "README.md").read_text().partition("`nighttrain config` edits the file")[2]
    lines = re.findall(
        r"^nighttrain (config .*)$", block.partition("```sh")[2].partition("```")[0], re.MULTILINE
    )
    assert len(lines) == 6
    (tmp_path / "deploy").mkdir()
    path = tmp_path / "deploy" / "night_training.yaml"
    path.write_text(DOCUMENTED)
    for line in lines:
        done = nighttrain(*shlex.split(line, comments=True), cwd=tmp_path)
        assert (done.code, done.err) == (0, ""), line
    assert values(path)["timeframes"] == ["1m", "5m", "1h"]
