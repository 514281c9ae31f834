"""Whether nights take as long as was estimated: small configurations estimated, then trained for real.

``python -m tests.bench.estimate`` prints each configuration with what was estimated from a calibration, and
the measured duration of its night; exit code 1 if fewer than 8 of 10 lie within P10 to P90.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NEEDED = 0.8
CONFIGURATIONS = (
    ("BTCUSDT", "1h", "1"),
    ("BTCUSDT", "1h 4h", "1 3"),
    ("BTCUSDT XRPUSDT", "1h", "1 3 5"),
    ("BTCUSDT", "15m", "1 3"),
    ("BTCUSDT XRPUSDT", "15m 1h", "1 3"),
    ("BTCUSDT XRPUSDT ETHUSDT", "1h 4h", "1 3"),
    ("BTCUSDT", "5m", "1 3"),
    ("BTCUSDT XRPUSDT", "5m 15m", "1"),
    ("BTCUSDT XRPUSDT ETHUSDT", "15m 1h 4h", "1 3 5"),
    ("BTCUSDT", "5m 15m 1h", "1 3 5"),
)
SYMBOLS = ("BTCUSDT", "XRPUSDT", "ETHUSDT")


def nighttrain(*words: object) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("BT_NIGHT_")}
    command = [sys.executable, "-m", "cli", *map(str, words)]
    done = subprocess.run(
        command,
        env={**environment, "BT_NIGHT_DASHBOARD__ENABLED": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def main(days: int) -> int:
    within = 0
    with tempfile.TemporaryDirectory(prefix="nighttrain-bench-") as folder:
        candles = Path(folder, "candles")
        nighttrain("data", "sample", "--out", candles, "--days", days, "--symbols", *SYMBOLS)
        print(
            "| symbols | timeframes | horizons | P10 s | P50 s | P90 s | measured s | within | estimating s |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        for number, (symbols, timeframes, horizons) in enumerate(CONFIGURATIONS):
            grid = ["--symbols", *symbols.split(), "--timeframes", *timeframes.split()]
            grid += ["--horizons", *horizons.split(), "--trainers", 1, "--data", candles]
            out = Path(folder, f"night-{number}")
            began = time.monotonic()
            told = json.loads(nighttrain("estimate", *grid, "--out", out, "--json"))["here"]["length"]
            took = time.monotonic() - began
            night = json.loads(nighttrain("run", *grid, "--out", out, "--json"))
            measured = night["totals"]["wall_seconds"]
            fits = told["p10"] <= measured <= told["p90"]
            within += fits
            figures = (*(told[name] for name in ("p10", "p50", "p90")), measured)
            shown = " | ".join(f"{figure:.1f}" for figure in figures)
            judged = "yes" if fits else "no"
            print(f"| {symbols} | {timeframes} | {horizons} | {shown} | {judged} | {took:.0f} |", flush=True)
    load = os.getloadavg()[1] / (os.cpu_count() or 1)
    print(f"\n{within} of {len(CONFIGURATIONS)} within P10 to P90; load {load:.1f} a core")
    return 0 if within >= NEEDED * len(CONFIGURATIONS) else 1


if __name__ == "__main__":
    sys.exit(main(days=int(sys.argv[1]) if len(sys.argv) > 1 else 365))
