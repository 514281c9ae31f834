"""Draws the boards as pictures: ``make board-pictures``; for developers only, and no test.

A small night in which much happens is trained under a real Prometheus; then each board is drawn from what
that has stored, with Grafana's own published parts (`grafana/pictures`), as an operator may meet it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx

from tests.grafana.pictured_night import MOMENTS, STEP_SECONDS, Moments, pictured_night
from tests.metrics.scrape import free_port
from tests.trainer.real_night import ROOT, eventually

RENDERER = ROOT / "grafana" / "pictures"
BOARDS = ("night", "trainers", "models", "coordinator")
NEEDED = {
    "node": "Node 20",
    "npm": "npm",
    "chromium": "Debian: apt install chromium",
    "prometheus": "Debian: apt install prometheus",
    "prometheus-alertmanager": "Debian: apt install prometheus-alertmanager",
}
STATES = ("middle", "done", "empty", "old")
"""In mid-night, done, without data, with an old run chosen."""
LOOKS = (("dark", 1600), ("light", 1600), ("dark", 1000), ("light", 1000))
EMPTY_SECONDS = 3600
SHOWN_HEIGHT = 1580
"""Pixels of the night's board that the README shows: down to what is at work."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw, and return the exit code: 0 also where a program is missing, which is said, 1 if one failed."""
    parser = argparse.ArgumentParser(prog="make board-pictures", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "board-pictures", help="where the pictures go")
    parser.add_argument(
        "--night", type=Path, help="keep the night in this folder, or draw the one that is there"
    )
    parser.add_argument("--boards", nargs="+", choices=BOARDS, default=BOARDS)
    parser.add_argument("--states", nargs="+", choices=STATES, default=STATES)
    parser.add_argument("--readme", action="store_true", help="draw docs/board.png and nothing else")
    chosen = parser.parse_args(arguments)
    if missing := [f"{name} ({words})" for name, words in NEEDED.items() if shutil.which(name) is None]:
        sys.stdout.write(f"SKIPPED: no board is drawn, for these are missing: {', '.join(missing)}\n")
        return 0
    with tempfile.TemporaryDirectory() as passing:
        folder = chosen.night or Path(passing, "night")
        moments = _night(folder)
        _prepare_renderer()
        with _stored(folder) as prometheus:
            if chosen.readme:
                at = ROOT / "docs" / "board.png"
                return _draw("night", "middle", ("dark", 1600), moments, prometheus, at, SHOWN_HEIGHT)
            chosen.out.mkdir(parents=True, exist_ok=True)
            return max(
                _draw(
                    board,
                    state,
                    look,
                    moments,
                    prometheus,
                    chosen.out / f"{board}-{state}-{look[0]}-{look[1]}.png",
                )
                for board in chosen.boards
                for state in chosen.states
                for look in LOOKS
            )


def _night(folder: Path) -> Moments:
    kept = folder / MOMENTS
    if kept.exists():
        return Moments(**json.loads(kept.read_text()))
    sys.stdout.write("a night is trained, for some minutes\n")
    folder.mkdir(parents=True, exist_ok=True)
    return pictured_night(folder)


def _prepare_renderer() -> None:
    if not (RENDERER / "node_modules").exists():
        npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(npm, cwd=RENDERER, check=True)


@contextmanager
def _stored(folder: Path) -> Iterator[str]:
    """Serve what Prometheus has stored of a night, which it no longer scrapes."""
    empty = folder / "nothing.yml"
    empty.write_text("global: {}\n")
    address = f"127.0.0.1:{free_port()}"
    options = (
        f"--config.file={empty}",
        f"--storage.tsdb.path={folder / 'series'}",
        f"--web.listen-address={address}",
        "--storage.tsdb.retention.time=10y",
    )
    with (folder / "stored.log").open("wb") as log:
        process = subprocess.Popen(["prometheus", *options], stdout=log, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: _is_ready(address))
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait()


def _is_ready(address: str) -> bool:
    try:
        return httpx.get(f"http://{address}/-/ready", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _draw(
    board: str,
    state: str,
    look: tuple[str, int],
    moments: Moments,
    prometheus: str,
    picture: Path,
    height: int = 0,
) -> int:
    start, end = moments.began, moments.done
    if state == "middle":
        end = moments.middle
    if state == "empty":
        start, end = start - 2 * EMPTY_SECONDS, start - EMPTY_SECONDS
    command = [
        "node",
        str(RENDERER / "src" / "render.mjs"),
        str(ROOT / "grafana" / "dashboards" / f"{board}.json"),
    ]
    command += [prometheus, str(picture), "--from", _moment(start), "--to", _moment(end)]
    command += ["--theme", look[0], "--width", str(look[1]), "--scrape-interval", f"{STEP_SECONDS:.0f}s"]
    command += ["--var", f"run={moments.first_run}"] if state == "old" else []
    command += ["--height", str(height)] if height else []
    environment = os.environ | {"CHROMIUM": shutil.which("chromium") or ""}
    return subprocess.run(command, check=False, env=environment).returncode


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


if __name__ == "__main__":
    sys.exit(main())
