"""A night in folders with spaces in their names, of a user without rights: people's machines differ."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import ROOT, command, environment

NOBODY = 65534
ONE_CELL = "symbols: [BTCUSDT]\ntimeframes: [1h]\nhorizons: [1]\nnum_workers: 1\n"


@dataclass(frozen=True)
class Place:
    """A folder of a user: nobody's if root runs the tests and nobody can read the code, else our own."""

    folder: Path
    user: int

    def called(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        own = self.user == os.geteuid()
        lesser: dict[str, Any] = {} if own else {"user": self.user, "group": self.user, "extra_groups": []}
        env = {**environment(), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            words,
            cwd=self.folder,
            env={**env, "HOME": str(self.folder), "TMPDIR": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
            **lesser,
        )


@pytest.fixture
def place() -> Iterator[Place]:
    # Not below pytest's own folder, which only its user may enter.
    with tempfile.TemporaryDirectory(prefix="my night's folder ü ") as name:
        nobody = Place(Path(name), NOBODY)
        if os.geteuid() == 0:
            os.chown(name, NOBODY, NOBODY)
            with suppress(PermissionError):
                if nobody.called([sys.executable, "-c", "import cli.app"]).returncode == 0:
                    yield nobody
                    return
        yield Place(Path(name), os.geteuid())


def test_a_night_runs_in_folders_with_spaces_for_a_user_without_rights(candles, place) -> None:
    data, out, config = (place.folder / name for name in ("the candles", "out of it", "one night.yaml"))
    data.mkdir()
    shutil.copy(next(candles.glob("BTCUSDT*")), data / "BTC USDT 15m.parquet")
    config.write_text(ONE_CELL)
    for path in (data, *data.iterdir(), config):
        os.chown(path, place.user, -1)
    done = place.called(command("run", "--config", config, "--data", data, "--out", out, "--json"))
    assert done.returncode == 0, done.stderr
    [cell] = json.loads(done.stdout)["jobs"]
    assert cell["state"] == "succeeded"
    assert {path.stat().st_uid for path in out.rglob("*")} == {place.user}
    assert (out / "token").stat().st_mode & 0o077 == 0
