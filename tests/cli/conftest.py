from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.coordinator.conftest import clock, database_url, empty_url, migrated  # noqa: F401
from tests.small_disk import small_disk  # noqa: F401

ROOT = Path(__file__).parents[2]
GRID = ["--symbols", "BTCUSDT", "XRPUSDT", "--timeframes", "15m", "1h", "--horizons", "1", "3"]


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    def results(self) -> dict[str, Any]:
        return json.loads(self.out)


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BT_NIGHT_")}
    return {**kept, "BT_NIGHT_DASHBOARD__ENABLED": "false"}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "cli", *map(str, arguments)]


@pytest.fixture(scope="session")
def nighttrain() -> Callable[..., Outcome]:
    """Runs the command line as a user would and returns what it said."""

    def call(*arguments: object, timeout: float = 120, cwd: Path = ROOT, **env: str) -> Outcome:
        done = subprocess.run(
            command(*arguments),
            cwd=cwd,
            env={**environment(), "PYTHONPATH": str(ROOT), **env},
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture(scope="session")
def candles(nighttrain: Callable[..., Outcome], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sample candles of two symbols, long enough for 15m and 1h."""
    folder = tmp_path_factory.mktemp("candles")
    made = nighttrain("data", "sample", "--out", folder, "--symbols", "BTCUSDT", "XRPUSDT", "--days", 150)
    assert made.code == 0, made.err
    return folder


@pytest.fixture(scope="session")
def undisturbed(
    nighttrain: Callable[..., Outcome], candles: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], Path]:
    """A whole small night that nobody disturbed, and its out folder."""
    out = tmp_path_factory.mktemp("undisturbed")
    outcome = nighttrain("run", "--data", candles, "--out", out, "--trainers", 1, "--json", *GRID)
    assert outcome.code == 0, outcome.err
    return outcome.results(), out


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]
