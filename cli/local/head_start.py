"""What is started ahead of its options: it imports while the command does, and touches nothing yet.

The command itself imports for a while before it knows what it was asked for; so a night's processes begin by
what its words look like. This module imports little, because what it imports is what the others wait for.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
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

    def end(self) -> None:
        """End the fork server, and a coordinator that nobody has told its options."""
        coordinator = self.coordinator
        if coordinator.word is None and coordinator.process is not None:
            coordinator.process.kill()
            coordinator.terminate()
            coordinator.process.wait()
        self.server.terminate()
        self.server.wait(time.monotonic() + STOP_SECONDS)


_begun: list[Ahead] = []
"""What was started by the look of the words, and taken by no night yet."""


def coordinator_to_be(out: Path, debug: bool) -> Child:
    """Return the coordinator's process, not started yet; it waits to be told its other options."""
    command = [sys.executable, "-m", "coordinator", "--out", str(out), "--exit-with-parent"]
    command += ["--debug"] * debug
    return Child("coordinator", [*command, "--options-from-input"], dict(os.environ))


def begin(words: Sequence[str], out: Path) -> None:
    """Start what a night will need that these words of the command line seem to ask for.

    It is kept in the folder `out` where they name none.
    """
    _begun.append(_start(_named(words, out), "--debug" in words))


def call_off() -> None:
    """End what no night has taken."""
    while _begun:
        one = _begun.pop()
        if one.server.process is not None:
            # It has no agent yet, and hears nothing while it imports.
            one.server.process.kill()
        one.end()


@contextmanager
def ahead(out: Path, debug: bool) -> Iterator[Ahead]:
    """Start the coordinator and the fork server that the trainers share, unless they are begun already.

    A coordinator that nobody has told its options ends with the block, the fork server when the last trainer
    has left.
    """
    wanted = coordinator_to_be(out, debug).command
    if not any(one.coordinator.command == wanted for one in _begun):
        call_off()
    started = _begun.pop() if _begun else _start(out, debug)
    try:
        yield started
    finally:
        started.end()


def _named(words: Sequence[str], out: Path) -> Path:
    for word, following in pairwise([*words, ""]):
        name, equals, value = word.partition("=")
        if name == "--out":
            out = Path(value if equals else following)
    return out


def _start(out: Path, debug: bool) -> Ahead:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        # The kernel finds a name that is no file, so that nothing is left when this process is killed.
        listening.bind("")
        listening.listen(MOST_WAITING)
        name = listening.getsockname()[1:].decode()
        environment = environment_of_server(environment_of_trainers(os.environ, Path()))
        command = command_of_shared(listening.fileno(), WORKER, TRAINING)
        server = Child("fork server", command, environment, (listening.fileno(),))
        begun = Ahead(coordinator_to_be(out, debug), f"@{name}", server)
        try:
            begun.coordinator.start()
            server.start()
        except BaseException:
            begun.end()
            raise
    return begun
