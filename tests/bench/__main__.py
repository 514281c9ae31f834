"""Measure Nighttrain beside its peers, print a table and keep all figures as JSON: `make bench`.

Each part can be had alone: `make bench ARGS="--only start"`. On real candles: `make bench ARGS="--only nights
--data DIR"`. What the machine does beside it changes all figures and the ratios least; how busy it was before
each part stands in the table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from tests.bench import answers, coordinator, large, nights, pages, several, startup

WATCHED_SECONDS = 2.0
SYMBOLS = ("BTCUSDT", "ETHUSDT", "ADAUSDT", "SOLUSDT", "DOGEUSDT", "XRPUSDT")
TIMEFRAMES = ("1m", "5m", "15m", "1h", "4h", "1d")


@dataclass(frozen=True)
class Asked:
    rounds: int
    data: Path | None
    peers: tuple[str, ...]
    cells: tuple[int, ...]


Row = tuple[str, str, str]
"""What was measured, its median, and what it is compared with."""


def start(asked: Asked) -> Any:
    return startup.measured(asked.rounds, nights.TRAINERS)


def start_rows(found: Any) -> Iterator[Row]:
    for name, took in found.items():
        yield f"from the command: {name}", f"{median(took):.2f} s", ""


def requests(asked: Asked) -> Any:
    return answers.measured()


def request_rows(found: Any) -> Iterator[Row]:
    for what, took in found.items():
        yield what, f"{median(took) * 1e3:.1f} ms", ""


def queue(asked: Asked) -> Any:
    http = [cells for cells in coordinator.HTTP_LENGTHS if cells in asked.cells]
    return coordinator.measure(asked.cells, http)


def queue_rows(found: Any) -> Iterator[Row]:
    shortest = next(iter(found["claims"].values()))["claim_cpu_ms_p50"]
    for cells, one in found["claims"].items():
        beside = f"of them {one['claim_cpu_ms_p50']:.1f} computing, {one['sync_ms_p50']:.1f} the disk's sync"
        ratio = one["claim_cpu_ms_p50"] / shortest
        yield (
            f"claim, {int(cells):,} cells queued",
            f"{one['claim_ms_p50']:.1f} ms",
            f"{beside}; computing {ratio:.1f} x",
        )
    for cells, one in found["pairs"].items():
        yield (
            f"results with next jobs, 8 clients, {int(cells):,} queued",
            f"{one['pairs_per_second']:.0f}/s",
            "",
        )


def many(asked: Asked) -> Any:
    return several.measured(asked.rounds)


def open_pages(asked: Asked) -> Any:
    return pages.measured(asked.rounds)


def size(asked: Asked) -> Any:
    return {str(cells): large.measured(cells) for cells in asked.cells if cells >= large.LEAST}


def size_rows(found: Any) -> Iterator[Row]:
    for cells, one in found.items():
        for what, figure in one.items():
            name, unit = (
                what.rsplit(" ", 1) if what.endswith(" ms") else (what.replace("MiB", "memory"), "MiB")
            )
            yield f"{name}, {int(cells):,} cells", f"{figure:.0f} {unit}", ""


def whole_nights(asked: Asked) -> Any:
    if asked.data is not None:
        grid = nights.Grid(asked.data, SYMBOLS, TIMEFRAMES)
        return nights.measured(grid, asked.rounds, asked.peers)
    with tempfile.TemporaryDirectory(prefix="nighttrain-bench-") as name:
        return nights.measured(nights.sampled(Path(name)), asked.rounds, asked.peers)


def night_rows(found: Any) -> Iterator[Row]:
    ours = median(found["seconds"]["night"])
    for what, took in found["seconds"].items():
        ratio = median(took) / ours
        cells = found["trained"].get(what)
        trained = f"{cells} cells" if cells is not None else ""
        yield what, f"{median(took):.1f} s", f"{ratio:.2f} x a night; {trained}".rstrip("; ")
    yield "longest wait of a trainer between two jobs", f"{found['inside']['longest_wait_seconds']:.2f} s", ""
    for timeframe, stages in found["inside"]["stage_seconds"].items():
        each = ", ".join(f"{stage} {seconds:.3f}" for stage, seconds in stages.items() if seconds >= 0.001)
        yield f"a cell of {timeframe}", f"{sum(stages.values()):.2f} s", each


PARTS: dict[str, tuple[Callable[[Asked], Any], Callable[[Any], Iterator[Row]]]] = {
    "requests": (requests, request_rows),
    "start": (start, start_rows),
    "queue": (queue, queue_rows),
    "several": (many, several.rows),
    "pages": (open_pages, pages.rows),
    "size": (size, size_rows),
    "nights": (whole_nights, night_rows),
}


def main() -> None:
    parser = argparse.ArgumentParser("python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART", help=f"of {', '.join(PARTS)}"
    )
    parser.add_argument(
        "--rounds", type=int, default=3, metavar="N", help="nights and starts to take the median of (3)"
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="candles of the nights (a sample of three symbols)"
    )
    parser.add_argument(
        "--peers",
        nargs="*",
        choices=nights.PEERS,
        default=nights.PEERS,
        metavar="PEER",
        help=f"of {', '.join(nights.PEERS)}",
    )
    parser.add_argument(
        "--longest",
        type=int,
        default=coordinator.LENGTHS[-1],
        metavar="CELLS",
        help="longest queue (100,000)",
    )
    parser.add_argument(
        "--json", type=Path, default=Path("bench.json"), metavar="FILE", help="all figures (bench.json)"
    )
    options = parser.parse_args()
    cells = tuple(length for length in coordinator.LENGTHS if length <= options.longest)
    asked = Asked(options.rounds, options.data, tuple(options.peers), cells)
    kept: dict[str, Any] = {
        "machine": _machine(),
        "rounds": asked.rounds,
        "began": f"{datetime.now(UTC):%FT%TZ}",
    }
    print(f"{kept['machine']}\n\n| measure | median | beside it |\n|---|---|---|", flush=True)
    for name in options.only:
        measure, rows = PARTS[name]
        busy = psutil.cpu_percent(WATCHED_SECONDS)
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        kept[name] = measure(asked)
        kept[f"{name}_busy_percent_before"] = busy
        print(f"| **{name}** | | others used {busy:.0f} % of the processors before |")
        for row in rows(kept[name]):
            print(f"| {' | '.join(row)} |", flush=True)
        options.json.write_text(json.dumps(kept, indent=1) + "\n")
    print(f"\nall figures: {options.json}")


def _machine() -> str:
    processor = next(
        (line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")),
        platform.processor() or platform.machine(),
    )
    memory = psutil.virtual_memory().total / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scikit-learn"))
    python = f"Python {platform.python_version()}"
    return f"{os.cpu_count()} cores of {processor}, {memory:.0f} GiB, {python}, {packages}"


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


if __name__ == "__main__":
    main()
