"""Commands by the words of the specification, each run for real in a terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import GRID, ROOT, Outcome
from tests.cli.terminal import in_terminal, plain

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
