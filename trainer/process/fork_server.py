"""The fork server as its agent sees it: started or joined, asked for one child at a time, missed when dead.

An agent has a server of its own, which dies with it at once (PR_SET_PDEATHSIG), or shares one with the other
trainers of its host. A shared one that does not answer is done without.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.errors import InternalError
from trainer.process.environment import KEPT_MEMORY, environment
from trainer.process.forking import MESSAGE_BYTES, is_of_this_user

WORKER = "trainer.job"
"""What the fork server imports, and whose `perform` a child runs; it is only named here, never imported."""

TRAINING = "trainer.pipeline"
"""What a child that trains needs besides; a survey does without, so that a night need not wait for it."""

JOIN_SECONDS = 1.0
"""How long a shared server that is overrun may take to let an agent in."""


def environment_of_server(given: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a fork server, and so of the jobs, in the surroundings `given`."""
    return KEPT_MEMORY | dict(given) | environment()


def command_of_shared(listening: int, preload: str, later: str) -> list[str]:
    """Return the command of a server for all agents that come to a listening socket, which it inherits."""
    return [sys.executable, "-m", "trainer.process.forking", "--shared", str(listening), preload, later]


@dataclass(frozen=True)
class Exit:
    """How a child ended: exit code, or the negative number of the signal, and peak resident memory."""

    code: int
    peak_resident_bytes: int


class ForkServer:
    """The agent's view of the server and of its one child.

    Parameters
    ----------
    preload : str
        The module that the server imports before it is ready.
    later : str
        One that it imports when nobody asks for a child; empty: none.
    shared : str
        The address of a server that is shared, as `socket` writes it: a path, or ``@`` and a name that is no
        file; empty: none.

    Attributes
    ----------
    starts : int
        How often it was started; a child lives no longer than the server that forked it.

    Notes
    -----
    It must be started from the main thread: PR_SET_PDEATHSIG watches the thread that started a process.
    """

    def __init__(self, preload: str, later: str = "", shared: str = "") -> None:
        self._preload, self._later, self._shared = preload, later, shared
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self.is_ready = False
        self.starts = 0
        self.child_pid: int | None = None
        self.child_exit: Exit | None = None

    def start(self) -> None:
        """Start the server unless it runs, or join the shared one; it is ready once it has imported all."""
        if self.is_alive:
            return
        self.close()
        control = self._joined() or self._started()
        control.setblocking(False)
        self._control = control
        self.starts += 1

    def _joined(self) -> socket.socket | None:
        if not self._shared:
            return None
        control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        control.settimeout(JOIN_SECONDS)
        try:
            control.connect(f"\0{self._shared[1:]}" if self._shared.startswith("@") else self._shared)
            # Another user may have taken the name of a server that has gone.
            if is_of_this_user(control):
                return control
        except OSError:
            pass
        control.close()
        return None

    def _started(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            arguments = [str(theirs.fileno()), str(os.getpid()), self._preload, self._later]
            self._process = subprocess.Popen(
                [sys.executable, "-m", "trainer.process.forking", *arguments],
                env=environment_of_server(os.environ),
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        return ours

    @property
    def is_alive(self) -> bool:
        """Whether the server runs, as far as is known."""
        return self._control is not None

    def fileno(self) -> int:
        """Return the descriptor to select on, or -1 when the server is dead."""
        return self._control.fileno() if self._control else -1

    def fork(self, target: str, channel: socket.socket, stderr: int, needs: str = "") -> None:
        """Ask for a child that calls `target` with its end of the channel; `child_pid` follows.

        Parameters
        ----------
        target : str
            ``module:function``; the function takes a socket.
        channel : socket.socket
            The child's end; the caller closes its own copy.
        stderr : int
            Where the child's stdout and stderr go; the caller closes its own copy.
        needs : str
            A module that is imported before the fork, unless it is already; empty: none.
        """
        self.child_pid = self.child_exit = None
        self.start()
        assert self._control
        try:
            request = f"{target} {needs}".encode()
            socket.send_fds(self._control, [request], [channel.fileno(), stderr])
        except OSError:
            self._lost()

    def listen(self) -> None:
        """Take in what the server said.

        Raises
        ------
        InternalError
            It could not import the training code.
        """
        while self._control:
            try:
                message = self._control.recv(MESSAGE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                message = b""
            if not message:
                self._lost()
                return
            said: dict[str, Any] = json.loads(message)
            if "failed" in said:
                what = f"the training code cannot be imported: {said['failed']}"
                raise InternalError(what, "install it with the extra `trainer`")
            self.is_ready = said.get("ready", self.is_ready)
            if "born" in said:
                self.child_pid = said["born"]
            if "exit" in said and said["pid"] == self.child_pid:
                self.child_exit = Exit(said["exit"], said["peak"])

    def kill_child(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the child; one that is not born yet dies with the server."""
        if self.child_exit is not None:
            return
        if self.child_pid is None:
            self.close()
            return
        try:
            os.kill(self.child_pid, number)
        except ProcessLookupError:
            return

    def close(self) -> None:
        """End the server, and with it a child."""
        self._lost()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def reap(self) -> None:
        """Collect the children that fell to this process, as happens to process 1 of a container."""
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if found is None:
                    return
                if self._process is not None and found.si_pid == self._process.pid:
                    self._process.wait()
                    self._lost()
                else:
                    os.waitpid(found.si_pid, os.WNOHANG)
            except ChildProcessError:
                return

    def _lost(self) -> None:
        self.is_ready = False
        if self._control is not None:
            self._control.close()
            self._control = None
