"""Whether the number of trainers that is found by itself does as well as the best fixed one.

``python -m tests.bench.parallelism`` trains the same small night with 1 to cores + 1 trainers and with
`num_workers: auto`, on the machine as it is and beside a foreign load that comes and goes. Exit code 1 if
auto takes more than a tenth longer than the best fixed number, 3 if the machine was so busy with other
things that nothing can be said: beside permanent others each trainer more takes a share away from them, and
the largest number looks best. Nights take turns, so that what fades or comes meets all of them alike.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from common.host import usable_cores

ALLOWED = 1.10
GRID = (
    "--symbols",
    "BTCUSDT",
    "XRPUSDT",
    "ETHUSDT",
    "--timeframes",
    "5m",
    "15m",
    "--horizons",
    "1",
    "3",
    "5",
)
AUTO = "auto"
BUSY = 0.15
"""Above this share of the processors in use by others before the first night nothing can be said."""
WATCHED_SECONDS = 10.0
EXIT_BUSY = 3


def nighttrain(*words: object, **settings: str) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("BT_NIGHT_")}
    command = [sys.executable, "-m", "cli", *map(str, words)]
    given = {**environment, "BT_NIGHT_DASHBOARD__ENABLED": "false", **settings}
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def night(candles: Path, out: Path, trainers: str) -> float:
    """Return how long a night took, in seconds, without the start of its processes."""
    adaptive = "true" if trainers == AUTO else "false"
    words = ("run", *GRID, "--data", candles, "--out", out, "--trainers", trainers, "--json")
    told = json.loads(nighttrain(*words, BT_NIGHT_PARALLELISM__ADAPTIVE=adaptive))
    return float(told["totals"]["wall_seconds"])


def burn(seconds: float) -> None:
    """Compute for so long, then rest for as long, until somebody ends it or the bench is gone."""
    parent = os.getppid()
    while os.getppid() == parent:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            sum(range(10_000))
        time.sleep(seconds)


@contextmanager
def foreign(programs: int, seconds: float) -> Iterator[None]:
    """Let so many programs compute and rest in turn."""
    burners = [multiprocessing.Process(target=burn, args=(seconds,), daemon=True) for _ in range(programs)]
    for burner in burners:
        burner.start()
    try:
        yield
    finally:
        for burner in burners:
            burner.terminate()
            burner.join()


def compare(candles: Path, folder: Path, numbers: list[str], repeats: int, words: str) -> bool:
    """Print how long the nights took, and return whether auto is near enough to the best."""
    took: dict[str, list[float]] = {number: [] for number in numbers}
    for repeat in range(repeats):
        # Each begins as often as it ends: what warms up or fades meets all alike.
        for number in numbers if repeat % 2 == 0 else reversed(numbers):
            took[number].append(night(candles, folder / f"{words}-{number}-{repeat}", number))
    medians = {number: statistics.median(times) for number, times in took.items()}
    best = min(median for number, median in medians.items() if number != AUTO)
    for number, times in took.items():
        each = ", ".join(f"{seconds:.1f}" for seconds in times)
        print(
            f"| {words} | {number} | {medians[number]:.1f} | {medians[number] / best:.2f} | {each} |",
            flush=True,
        )
    return medians[AUTO] <= ALLOWED * best


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=120, help="days of candles of each symbol")
    parser.add_argument("--repeats", type=int, default=3, help="nights of each number")
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="how long the foreign load stays and is away"
    )
    asked = parser.parse_args()
    cores = max(1, int(usable_cores()))
    numbers = [*map(str, range(1, cores + 2)), AUTO]
    with tempfile.TemporaryDirectory(prefix="nighttrain-bench-") as name:
        folder, candles = Path(name), Path(name, "candles")
        nighttrain("data", "sample", "--out", candles, "--days", asked.days, "--symbols", *GRID[1:4])
        others = psutil.cpu_percent(interval=WATCHED_SECONDS) / 100
        print("| foreign load | trainers | median s | to the best | each s |\n|---|---|---|---|---|")
        alone = compare(candles, folder, numbers, asked.repeats, "none")
        with foreign(max(1, cores // 2), asked.seconds):
            beside = compare(candles, folder, numbers, asked.repeats, "comes and goes")
    print(f"\nauto is within {ALLOWED - 1:.0%} of the best: {alone} alone, {beside} beside a foreign load")
    print(f"others used {others:.0%} of the processors before the first night")
    if others > BUSY:
        print("that is too much for a judgement: try again when the machine has nothing else to do")
        return EXIT_BUSY
    return 0 if alone and beside else 1


if __name__ == "__main__":
    sys.exit(main())
