"""A whole night beside the same cells under what people schedule with: `python -m tests.bench.nights`.

Nights and peers take turns, so that what else the machine does meets all of them alike. Every round begins
with an empty folder; then the same night runs again in it, with nothing changed in the candles, and once more
with every cell trained again.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from typing import Any

ROOT = Path(__file__).parents[2]
TRAINERS = 2
PEERS = ("pool", "joblib", "dask", "ray")
KINDS = {"night": (), "the same night again": (), "the same, trained again": ("--retrain",)}
"""What runs in the folder of a round one after the other, with the further options of each."""


@dataclass(frozen=True)
class Grid:
    """What is trained, on whose candles."""

    data: Path
    symbols: tuple[str, ...]
    timeframes: tuple[str, ...]
    horizons: tuple[str, ...] = ("1", "3", "5")

    @property
    def options(self) -> list[str]:
        return [
            *("--data", str(self.data)),
            *("--symbols", *self.symbols),
            *("--timeframes", *self.timeframes),
            *("--horizons", *self.horizons),
        ]


SAMPLE = (("BTCUSDT", "ETHUSDT", "SOLUSDT"), ("1m", "5m", "15m", "1h"))
"""Symbols and timeframes where no candles are named."""
SAMPLE_DAYS = 180


def sampled(folder: Path) -> Grid:
    """Make candles, and return a grid of some minutes for a script."""
    symbols, timeframes = SAMPLE
    command = ["data", "sample", "--out", str(folder), "--days", str(SAMPLE_DAYS), "--symbols", *symbols]
    _run("cli", *command)
    return Grid(folder, symbols, timeframes)


def night(grid: Grid, out: Path, *further: str) -> dict[str, float]:
    """Train a night; return the wall seconds, and those on processors."""
    used, began = os.times(), time.perf_counter()
    options = ["--out", str(out), "--trainers", str(TRAINERS), "--port", "0", *grid.options, *further]
    _run("cli", "run", *options)
    took, now = time.perf_counter() - began, os.times()
    spent = now.children_user + now.children_system - used.children_user - used.children_system
    return {"seconds": took, "cpu_seconds": spent}


def peer(name: str, grid: Grid) -> dict[str, float]:
    """Train the same cells under a peer, and return what it prints."""
    done = _run("tests.bench.peers", name, "--workers", str(TRAINERS), *grid.options)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def inside(out: Path) -> dict[str, Any]:
    """What a night's own database says of it: cells trained, seconds by stage, waits of its trainers."""
    stages: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with closing(sqlite3.connect(f"file:{out / 'nighttrain.db'}?mode=ro", uri=True)) as database:
        reports = database.execute(
            "SELECT jobs.timeframe, reports.document FROM reports JOIN jobs ON jobs.id = reports.job_id"
            " WHERE jobs.kind = 'training'"
        ).fetchall()
        ran = database.execute("SELECT trainer, started, ended FROM attempts ORDER BY started").fetchall()
    for timeframe, document in reports:
        for stage, seconds in json.loads(document)["stage_seconds"].items():
            stages[timeframe][stage].append(seconds)
    at_work = defaultdict(list)
    for trainer, *span in ran:
        at_work[trainer].append([datetime.fromisoformat(moment).timestamp() for moment in span])
    waits = [after[0] - before[1] for spans in at_work.values() for before, after in pairwise(spans)]
    return {
        "trained": len(reports),
        "stage_seconds": {
            timeframe: {stage: fmean(each) for stage, each in found.items()}
            for timeframe, found in stages.items()
        },
        "longest_wait_seconds": max(waits, default=0.0),
    }


def measured(grid: Grid, rounds: int, peers: Sequence[str] = PEERS) -> dict[str, Any]:
    """Return the seconds of nights and peers, one a round, and what the last night says of itself."""
    took: dict[str, list[float]] = defaultdict(list)
    trained: dict[str, int] = {}
    within: dict[str, Any] = {}
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="nighttrain-bench-") as name:
            out = Path(name)
            for what, further in KINDS.items():
                figures = night(grid, out, *further)
                took[what].append(figures["seconds"])
                if what == "night":
                    took["cpu of a night"].append(figures["cpu_seconds"])
                    within = inside(out)
                    trained[what] = within["trained"]
        for each in peers:
            print(f"round {number + 1} of {rounds}: {each}", file=sys.stderr, flush=True)
            found = peer(each, grid)
            took[each].append(found["seconds"])
            trained[each] = int(found["trained"])
    return {
        "seconds": dict(took),
        "trained": trained,
        "inside": within,
        "ratio": {each: median(took[each]) / median(took["night"]) for each in peers},
    }


def _run(module: str, *options: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BT_NIGHT_")}
    command = [sys.executable, "-m", module, *options]
    done = subprocess.run(command, cwd=ROOT, env=kept, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done
