"""A port or a folder that somebody else has: it is named, and nobody is mistaken for somebody else."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.cli.conftest import GRID, Outcome
from tests.cli.nights import Night, going, held, interrupt


def test_a_taken_port_is_named_with_its_holder_and_the_way_out(
    nighttrain: Callable[..., Outcome], candles: Path, tmp_path: Path, taken_port: int
) -> None:
    outcome = nighttrain(
        "run",
        "--data",
        candles,
        "--out",
        tmp_path,
        "--port",
        taken_port,
        *GRID,
        BT_NIGHT_DASHBOARD__ENABLED="true",
    )
    assert outcome.code == 2
    assert str(taken_port) in outcome.err
    assert str(os.getpid()) in outcome.err
    assert "dashboard.port" in outcome.err or "--port" in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_stranger_on_the_port_of_the_last_night_is_not_taken_for_the_coordinator(
    nighttrain: Callable[..., Outcome], candles: Path, undisturbed: Night, tmp_path: Path
) -> None:
    out = tmp_path / "used"
    shutil.copytree(undisturbed[1], out)
    heard: list[str] = []

    class Stranger(BaseHTTPRequestHandler):
        def handle(self) -> None:
            heard.append("a connection")

    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_port
        # What a coordinator that was killed leaves behind.
        left = {"url": f"http://127.0.0.1:{port}", "pid": os.getpid()}
        (out / "coordinator.json").write_text(json.dumps(left))
        outcome = nighttrain(
            "run", "--data", candles, "--out", out, "--port", port, *GRID, BT_NIGHT_DASHBOARD__ENABLED="true"
        )
        server.shutdown()
    assert outcome.code == 2
    assert f"port {port}" in outcome.err and outcome.err.count("\n") == 1
    assert heard == []


def test_a_second_run_on_a_folder_in_use_is_refused(
    nighttrain: Callable[..., Outcome], candles: Path, tmp_path: Path
) -> None:
    with going(tmp_path, candles) as night, held(night.pid, tmp_path, cells=0):
        outcome = nighttrain("run", "--data", candles, "--out", tmp_path, *GRID)
    assert outcome.code == 2
    assert "another run is going there" in outcome.err


def test_an_unfinished_night_of_another_grid_is_not_mixed_up_and_fresh_starts_over(
    nighttrain: Callable[..., Outcome], candles: Path, tmp_path: Path
) -> None:
    with going(tmp_path, candles) as night:
        with held(night.pid, tmp_path, cells=0) as trainer:
            interrupt(night, trainer)
        night.communicate(timeout=30)
    other = ["--symbols", "BTCUSDT", "--timeframes", "1h", "--horizons", "1"]
    refused = nighttrain("run", "--data", candles, "--out", tmp_path, *other)
    assert refused.code == 2
    assert "--fresh" in refused.err
    fresh = nighttrain("run", "--data", candles, "--out", tmp_path, "--fresh", "--json", *other)
    assert fresh.code == 0, fresh.err
    assert len(fresh.results()["jobs"]) == 1
