"""The benchmarks run, and a peer trains the cells that a night trains."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bench.nights import Grid, night, peer


def bench(*options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.bench", *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_a_part_prints_its_table_and_keeps_its_figures(tmp_path: Path) -> None:
    kept = tmp_path / "bench.json"
    done = bench("--only", "requests", "--json", kept)
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(kept.read_text())
    assert "| GET /api/status |" in done.stdout and str(kept) in done.stdout
    assert len(figures["requests"]["GET /api/status"]) > 100 and figures["machine"] in done.stdout


def test_an_unknown_part_is_refused(tmp_path: Path) -> None:
    done = bench("--only", "moon", "--json", tmp_path / "bench.json")
    assert done.returncode == 2 and "'moon'" in done.stderr


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Grid:
    data = tmp_path_factory.mktemp("bench") / "candles"
    options = ["data", "sample", "--out", str(data), "--days", "20", "--symbols", "BTCUSDT"]
    subprocess.run([sys.executable, "-m", "cli", *options], check=True, capture_output=True)
    return Grid(data, ("BTCUSDT",), ("15m", "1d"), ("1", "3"))


def test_a_peer_trains_what_has_enough_candles(grid: Grid) -> None:
    found = peer("pool", Grid(grid.data, ("BTCUSDT", "XRPUSDT"), ("15m",), grid.horizons))
    assert found["trained"] == 2 and 0.3 < found["auc"] < 0.7 and found["seconds"] > 0


def test_a_night_with_refused_cells_is_measured(grid: Grid, tmp_path: Path) -> None:
    # Of one day in twenty there are too few bars.
    assert 0 < night(grid, tmp_path / "out")["cpu_seconds"] < 100
