"""From ``nighttrain run`` to its first job at work, stage by stage: `python -m tests.bench.startup`.

Each round is a whole small night of a fresh out folder; the stages are read from the times in its logs. The
median of the rounds is printed, and the CPU time of all processes, which two cores have to share.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
SYMBOLS = ("BTCUSDT", "ETHUSDT")
DAYS = 60
GRID = ("--symbols", *SYMBOLS, "--timeframes", "15m", "--horizons", "1")
_TIME = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})Z ")


@dataclass(frozen=True)
class Stage:
    """A moment of a start: the first line with `words` in a log, or the last one among all trainers."""

    name: str
    log: str
    words: str
    last: bool = False


STAGES = (
    Stage(
        "command read, coordinator started", "night_training_launcher.log", "coordinator started as process"
    ),
    Stage("trainers started", "night_training_launcher.log", "trainer-1 started as process"),
    Stage("coordinator listens", "batch_train_night.log", "listening on"),
    Stage("first trainer registered", "trainer-*.log", "registered as"),
    Stage("first job at work", "trainer-*.log", ": survey of "),
    Stage("all trainers at work", "trainer-*.log", "job ", last=True),
    Stage("first training job", "trainer-*.log", "_15m_"),
)


def moment(logs: Path, stage: Stage) -> float:
    """When a stage was reached, in seconds since the epoch.

    Raises
    ------
    LookupError
        No log says so.
    """
    found = []
    for path in logs.glob(stage.log):
        lines = (line for line in path.read_text().splitlines() if stage.words in line)
        stamp = _TIME.match(next(lines, ""))
        if stamp:
            found.append(datetime.fromisoformat(stamp[1]).replace(tzinfo=UTC).timestamp())
    if not found:
        raise LookupError(f"no {stage.log} in {logs} has a line with {stage.words!r}")
    return max(found) if stage.last else min(found)


def night(data: Path, out: Path, trainers: int) -> dict[str, float]:
    """Train a small night; return the seconds from the command to each stage, and what CPU time it took."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BT_NIGHT_")}
    command = [sys.executable, "-m", "cli", "run", "--data", str(data), "--out", str(out)]
    command += ["--trainers", str(trainers), "--port", "0", *GRID]
    used = _children_seconds()
    began = time.time()
    done = subprocess.run(command, cwd=ROOT, env=kept, capture_output=True, text=True)
    ended = time.time()
    assert done.returncode == 0, done.stdout + done.stderr
    took = {stage.name: moment(out / "logs", stage) - began for stage in STAGES}
    return took | {"end of the night": ended - began, "CPU time of all": _children_seconds() - used}


def measured(rounds: int, trainers: int) -> dict[str, list[float]]:
    """Return the seconds of each stage, one a round."""
    with tempfile.TemporaryDirectory(prefix="nighttrain-startup-") as folder:
        data = Path(folder) / "candles"
        sample = [sys.executable, "-m", "cli", "data", "sample", "--out", str(data), "--days", str(DAYS)]
        subprocess.run([*sample, "--symbols", *SYMBOLS], cwd=ROOT, check=True, capture_output=True)
        nights = [night(data, Path(folder) / f"night-{number}", trainers) for number in range(rounds)]
    return {name: [each[name] for each in nights] for name in nights[0]}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m tests.bench.startup", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="nights to take the median of (5)")
    parser.add_argument("--trainers", type=int, default=2, metavar="N", help="trainers of each night (2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep all figures there")
    options = parser.parse_args(arguments)
    figures = measured(options.rounds, options.trainers)
    print(f"{'from the command, seconds':40}{'median':>8}{'least':>8}{'most':>8}")
    for name, took in figures.items():
        print(f"{name:40}{median(took):8.2f}{min(took):8.2f}{max(took):8.2f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def _children_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system


if __name__ == "__main__":
    main()
