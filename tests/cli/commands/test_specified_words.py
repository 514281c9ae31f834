"""Commands by the words of the specification, each run for real in a terminal and as JSON."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands.conftest import Call
from tests.cli.conftest import GRID, ROOT, Outcome, command, environment
from tests.cli.terminal import in_terminal, plain
from tests.coordinator.specimens import Night

Words = tuple[str, ...]

EDITS: tuple[tuple[Words, str], ...] = (
    (("--create",), "is there already"),
    (("--validate",), "valid: 108 cells"),
    (("--show",), "memory_threshold"),
    (("--optimize",), "num_workers: auto -> "),
    (("--create", "--optimize"), "num_workers: auto -> "),
    (("--add-symbol", "MATICUSDT"), "+symbols: [BTCUSDT"),
    (("--remove-symbol", "XRPUSDT", "--remove-symbol", "ADAUSDT"), "-symbols: [BTCUSDT"),
    (("--set-timeframes", "1m", "5m", "1h"), "+timeframes: [1m, 5m, 1h]"),
    (("--set-horizons", "1", "3"), "+horizons: [1, 3]"),
    (("--set-thresholds", "0.53", "0.25", "0.51"), "+promote_if: {min_auc: 0.53"),
)


@pytest.mark.parametrize(("words", "said"), EDITS, ids=[" ".join(words) for words, _ in EDITS])
def test_config(words: Words, said: str, tmp_path: Path, nighttrain: Callable[..., Outcome]) -> None:
    (tmp_path / "deploy").mkdir()
    path = tmp_path / "deploy" / "night_training.yaml"
    path.write_text((ROOT / "deploy" / "night_training.yaml").read_text())
    told = nighttrain("config", *words, "--json", "--dry-run", cwd=tmp_path)
    assert (told.code, told.err) == (0, "")
    assert json.loads(told.out)["file"] == "deploy/night_training.yaml"
    shown = in_terminal("config", *words, cwd=tmp_path)
    assert shown.code == 0
    assert said in plain(shown.out)


@pytest.mark.parametrize("words", [("check",), ("start", "--check-requirements")], ids=" ".join)
def test_checks(words: Words, candles: Path, tmp_path: Path, nighttrain: Callable[..., Outcome]) -> None:
    where = ["--data", candles, "--out", tmp_path]
    needs_coordinator = words[0] == "start"
    where += ["--url", "http://127.0.0.1:9"] if needs_coordinator else []
    told = nighttrain(*words, *where, "--json")
    document = json.loads(told.out)
    assert told.code == (1 if document["state"] == "failed" else 0)
    shown = in_terminal(*words, *where)
    assert shown.code == told.code
    assert all(one["name"] in plain(shown.out) for one in document["requirements"])


def test_data(candles: Path, tmp_path: Path, nighttrain: Callable[..., Outcome]) -> None:
    sample = ("data", "sample", "--out", tmp_path / "sample", "--symbols", "BTCUSDT", "--days", "2")
    assert json.loads(nighttrain(*sample, "--json").out)["days"] == 2
    assert "sample candles (synthetic)" in in_terminal(*sample).out
    check = ("data", "check", "--data", candles, "--timeframes", "1h")
    assert json.loads(nighttrain(*check, "--json").out)["trainable"] == 6
    assert "6 of 6 cells could be trained" in plain(in_terminal(*check).out)
    written = ("data", "import", "--data", candles, "--out", tmp_path / "parquet")
    assert len(json.loads(nighttrain(*written, "--json").out)["written"]) == 2
    assert "2 there already" in plain(in_terminal(*written).out)


def test_estimate(
    undisturbed: tuple[dict[str, Any], Path], candles: Path, nighttrain: Callable[..., Outcome]
) -> None:
    words = ("estimate", "--data", candles, "--out", undisturbed[1], *GRID)
    told = json.loads(nighttrain(*words, "--json").out)
    shown = plain(in_terminal(*words).out)
    assert told["basis"] in shown
    assert "this machine" in shown


MONITORED: tuple[tuple[Words, str], ...] = (
    (("monitor", "--detailed", "--no-screen"), "8 of 8 cells trained"),
    (("monitor", "--health"), "ok"),
    (("monitor", "--alerts"), "no alert fires"),
    (("monitor", "--no-screen", "--interval", "30"), "night 1: 8/8 cells"),
)


@pytest.mark.parametrize(("words", "said"), MONITORED, ids=[" ".join(words) for words, _ in MONITORED])
def test_monitor(words: Words, said: str, say: Call, work: Night) -> None:
    work.finish_all(work.start())
    work.housekeeping.tick()
    code, out, err = say(*words)
    assert (code, err) == (0, "") and said in out
    assert json.loads(say(*(one for one in words if one != "--no-screen"), "--json")[1])["answers"] is True


def test_monitor_goes_on_at_each_interval(address: str, work: Night) -> None:
    work.start()
    process = subprocess.Popen(
        command("monitor", "--continuous", "--interval", "30", "--url", address),
        cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert "night 1: 0/8 cells" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130


def test_start_with_port_and_without_dashboard(address: str, say: Call, tmp_path: Path, work: Night) -> None:
    (tmp_path / "night.yaml").write_text("symbols: [BTCUSDT]\ntimeframes: [1h]\nhorizons: [1]\n")
    words = ("start", "--port", address.rsplit(":", 1)[1], "--config", tmp_path / "night.yaml")
    assert "dashboard" not in say(*words, "--no-dashboard")[1]
    assert f"dashboard {address}/" in say(*words, "--dashboard")[1]
    assert work.run_listing.page(5, 0).total == 1
