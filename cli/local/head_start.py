"""The coordinator started ahead of its options: it imports while the command does, and touches nothing yet.

This module imports little, because what it imports is what the coordinator has to wait for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.local.processes import Child


def coordinator_to_be(out: Path, debug: bool) -> Child:
    """Return the coordinator's process, not started yet; it waits to be told its other options."""
    command = [sys.executable, "-m", "coordinator", "--out", str(out), "--exit-with-parent"]
    command += ["--debug"] * debug
    return Child("coordinator", [*command, "--options-from-input"], dict(os.environ))


@contextmanager
def coordinator_ahead(out: Path, debug: bool) -> Iterator[Child]:
    """Start the coordinator's process; if nobody has told it its options, it ends with the block."""
    child = coordinator_to_be(out, debug)
    child.start()
    try:
        yield child
    finally:
        if child.word is None and child.process is not None:
            child.process.kill()
            child.terminate()
            child.process.wait()
