"""Files that are damaged or made to do damage, given to everything that reads files.

They are read in a process of their own, under a limit of memory and of time: whoever dies or hangs of one has
not held, and the next files are read in another process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.hostile.outcome import Log, Outcome, Setup

ROOT = Path(__file__).parents[2]
MOST_DEATHS = 20
"""After so many there is nothing left to learn."""


def files(setup: Setup) -> Iterator[Outcome]:
    """Yield a line for each reader, with the most memory that reading one file took."""
    logs: dict[str, Log] = {}
    grown: dict[str, int] = {}
    first, deaths = 0, 0
    while first >= 0 and deaths < MOST_DEATHS:
        first = _read(setup, first, logs, grown)
        deaths += 1
    for name, log in logs.items():
        outcome = log.outcome(f"files: {name}")
        yield Outcome(
            outcome.attack,
            outcome.tries,
            f"{outcome.result}; at most {grown[name] / 2**20:.0f} MiB",
            outcome.broken,
        )


def _read(setup: Setup, first: int, logs: dict[str, Log], grown: dict[str, int]) -> int:
    """Read files from one on; return the place of the one to go on with, -1 if all were read."""
    part = "small" if setup.small else "whole"
    command = [
        sys.executable,
        "-m",
        "tests.hostile.reading",
        str(setup.seed),
        part,
        str(setup.folder),
        str(first),
    ]
    begun: dict[str, object] = {}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT, text=True
    ) as child:
        assert child.stdout is not None
        for words in child.stdout:
            said = json.loads(words)
            name, begun = said["name"], said
            log = logs.setdefault(name, Log())
            if "result" in said:
                setup.say(f"{name} {said['place']}")
                log.add(said["result"], said["broken"])
                grown[name] = max(grown.get(name, 0), said["grown"])
    if child.returncode == 0:
        return -1
    if "result" in begun or not begun:
        raise RuntimeError(f"the process that reads ended with {child.returncode} between two files")
    name = str(begun["name"])
    grown.setdefault(name, 0)
    logs[name].add(
        "died", f"file {begun['place']} (seed {setup.seed}) ended its reader by {-child.returncode}"
    )
    return int(str(begun["place"])) + 1
