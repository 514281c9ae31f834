"""What is started ahead of its options: it imports while the command does, and touches nothing yet.

This module imports little, because what it imports is what the others have to wait for.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.local.processes import Child
from cli.local.trainer_environment import environment_of_trainers
from trainer.process.fork_server import TRAINING, WORKER, command_of_shared, environment_of_server

STOP_SECONDS = 2.0
MOST_WAITING = 64
"""Trainers that may have come to the fork server while it imports."""


@dataclass(frozen=True)
class Ahead:
    """What is started already: the coordinator's process, and a fork server with its address."""

    coordinator: Child
    fork_server: str
    server: Child


def coordinator_to_be(out: Path, debug: bool) -> Child:
    """Return the coordinator's process, not started yet; it waits to be told its other options."""
    command = [sys.executable, "-m", "coordinator", "--out", str(out), "--exit-with-parent"]
    command += ["--debug"] * debug
    return Child("coordinator", [*command, "--options-from-input"], dict(os.environ))


@contextmanager
def ahead(out: Path, debug: bool) -> Iterator[Ahead]:
    """Start the coordinator and the fork server that the trainers share.

    A coordinator that nobody has told its options ends with the block, the fork server when the last trainer
    has left.
    """
    coordinator = coordinator_to_be(out, debug)
    coordinator.start()
    try:
        with _fork_server() as (address, server):
            yield Ahead(coordinator, address, server)
    finally:
        if coordinator.word is None and coordinator.process is not None:
            coordinator.process.kill()
            coordinator.terminate()
            coordinator.process.wait()


@contextmanager
def _fork_server() -> Iterator[tuple[str, Child]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        # The kernel finds a name that is no file, so that nothing is left when this process is killed.
        listening.bind("")
        listening.listen(MOST_WAITING)
        name = listening.getsockname()[1:].decode()
        environment = environment_of_server(environment_of_trainers(os.environ, Path()))
        command = command_of_shared(listening.fileno(), WORKER, TRAINING)
        server = Child("fork server", command, environment, (listening.fileno(),))
        server.start()
    try:
        yield f"@{name}", server
    finally:
        server.terminate()
        server.wait(time.monotonic() + STOP_SECONDS)
