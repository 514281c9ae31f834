"""Whole small nights by the real command: coordinator, trainer, HTTP and SQLite."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.protocol.results import JobResult, Results, SurveyResult

ROOT = Path(__file__).parents[2]
SECONDS = 600.0


@dataclass(frozen=True)
class Night:
    """What a night left: its results, and the exit code of the command."""

    results: Results
    code: int

    def cells(self, symbol: str) -> list[JobResult]:
        return [job for job in self.results.jobs if job.symbol == symbol]

    def cell(self, symbol: str, timeframe: str) -> JobResult:
        (found,) = [job for job in self.cells(symbol) if job.timeframe == timeframe]
        return found

    def survey(self, symbol: str) -> SurveyResult:
        (found,) = [survey for survey in self.results.surveys if survey.symbol == symbol]
        return found


def night(
    folder: Path,
    symbols: Sequence[str],
    timeframes: Sequence[str],
    horizons: Sequence[int],
) -> Night:
    """Train what lies in ``folder/candles`` with all settings at their defaults.

    Raises
    ------
    RuntimeError
        The night left no results.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BT_NIGHT_")}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "cli", "run", "--json", "--trainers", "1"),
            *("--data", str(folder / "candles"), "--out", str(folder / "night")),
            *("--symbols", *symbols, "--timeframes", *timeframes, "--horizons", *map(str, horizons)),
        ],
        cwd=folder,
        env={**environment, "BT_NIGHT_DASHBOARD__ENABLED": "false", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
    )
    if not done.stdout.startswith("{"):
        raise RuntimeError(f"the night left no results (exit {done.returncode}): {done.stderr[-2000:]}")
    return Night(Results.model_validate(json.loads(done.stdout)), done.returncode)
