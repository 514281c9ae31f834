"""What the volumes of the containers hold, said before it is deleted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from cli.local.nights_measured import unfinished
from common.out_folder import OutFolder

CONTENTS = {
    "cache": "candles and features in columns, computed again when needed",
    "prometheus": "metrics of the last 30 days",
    "alertmanager": "silences, and who was told",
    "grafana": "users and changed boards",
}
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def inventory(volumes: Path) -> Iterator[str]:
    """Yield a line for each volume: its size, and what it holds."""
    yield "this deletes for good:"
    for name in ("night", *CONTENTS):
        folder = volumes / name
        words = night(OutFolder(folder)) if name == "night" else CONTENTS[name]
        yield f"  {name:<12} {sized(volume_bytes(folder)):>10}   {words}"
    yield "kept are the candles, the secrets, .env and what make models has copied"


def night(out: OutFolder) -> str:
    """Return in words how many nights and champions an out folder holds."""
    nights = len(list(out.logs.glob("batch_train_results_*.json")))
    champions = len(list(out.models.glob("*.pkl")))
    words = f"{_many(nights, 'night')} with results, {_many(champions, 'champion')}"
    return f"{words}, {going}" if (going := unfinished(out)) else words


def volume_bytes(folder: Path) -> int:
    """Return what the files below a folder take on the disk, in bytes; a file of two names counts once."""
    seen: dict[tuple[int, int], int] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                status = Path(place, name).lstat()
            except OSError:
                continue
            seen[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(seen.values())


def sized(count: float) -> str:
    """Return a number of bytes in words."""
    for unit in UNITS:
        if count < 1024 or unit == UNITS[-1]:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
