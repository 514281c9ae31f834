"""A whole small night in progress: begun, watched, and what is left of it killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.cli.conftest import GRID, ROOT, command, environment

Night = tuple[dict[str, Any], Path]
"""Its results and its out folder."""


def essence(results: dict[str, Any]) -> list[Any]:
    """What must not differ between two nights on the same candles: scores, folds, p-values, decisions."""
    keys = ("symbol", "timeframe", "horizon", "state", "rows", "span", "scores", "folds", "p_value")
    return [{key: job[key] for key in (*keys, "promoted", "reasons")} for job in results["jobs"]]


def only_results_of(out: Path) -> dict[str, Any]:
    (path,) = (out / "logs").glob("batch_train_results_*.json")
    return json.loads(path.read_text())


@contextmanager
def going(out: Path, candles: Path, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A night in progress; whatever is left of it is killed at the end."""
    with begun("run", "--data", candles, "--out", out, "--trainers", 1, *GRID, *arguments) as process:
        yield process


@contextmanager
def begun(*words: object, **env: str) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on; whatever is left of it and of its children is killed at the end."""
    process = subprocess.Popen(
        command(*words),
        cwd=ROOT,
        env={**environment(), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        kill_family(process.pid)
        process.communicate()


def kill(night: int, module: str) -> None:
    """Kill the process of a night that runs a module, and wait until it is gone."""
    victim = until(lambda: process_of(night, module), f"a {module} process")
    victim.kill()
    victim.wait(10)


def kill_family(pid: int) -> None:
    """Kill a process and all that descend from it."""
    for member in [pid, *(child.pid for child in descendants(pid))]:
        with suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)


def descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def status(out: Path) -> dict[str, Any] | None:
    try:
        address = json.loads((out / "coordinator.json").read_text())
        answer = httpx.get(f"{address['url']}/api/status", timeout=5)
        return answer.json() if answer.status_code == 200 else None
    except (OSError, ValueError, httpx.TransportError):
        return None


def until(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def cells_done(out: Path, count: int) -> Callable[[], bool]:
    def reached() -> bool:
        document = status(out)
        return bool(document and document["run"] and document["run"]["training"]["succeeded"] >= count)

    return reached


@contextmanager
def held(night: int, out: Path, cells: int = 1) -> Iterator[psutil.Process]:
    """The only trainer of a night in which so many cells are done, held until the end of this.

    It goes on between two looks alone: a night of eight cells may take less time than one look.

    Parameters
    ----------
    night : int
        The launcher's process ID.
    """
    agent = until(lambda: _caught(night, cells_done(out, cells)), f"{cells} cells done", 240)
    try:
        yield agent
    finally:
        with suppress(psutil.NoSuchProcess):
            agent.resume()


def _caught(night: int, reached: Callable[[], bool]) -> psutil.Process | None:
    if (agent := process_of(night, "trainer")) is None:
        return None
    with suppress(psutil.NoSuchProcess):
        agent.suspend()
        if reached():
            return agent
        agent.resume()
    return None


def interrupt(night: subprocess.Popen[str], agent: psutil.Process) -> None:
    """Interrupt a night whose trainer is held, and wait until the trainer is asked to stop too."""
    night.send_signal(signal.SIGINT)
    until(lambda: _is_asked_to_stop(agent), "that the trainer is asked to stop")


def _is_asked_to_stop(process: psutil.Process) -> bool:
    status = Path(f"/proc/{process.pid}/status").read_text()
    waiting = int(status.split("\nShdPnd:")[1].split()[0], 16)
    return bool(waiting >> (signal.SIGTERM - 1) & 1)


def process_of(parent: int, module: str) -> psutil.Process | None:
    for child in descendants(parent):
        try:
            line = child.cmdline()
        except psutil.NoSuchProcess:
            continue
        if line[1:3] == ["-m", module]:
            return child
    return None
