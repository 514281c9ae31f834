"""A warm process that forks one child at a time: it has the numeric stack and computes nothing itself.

It is ready as soon as it has imported what the first job needs. The rest is imported while nobody asks for a
child, or before a child that needs it is forked; and what a child had to import on its own, because few jobs
need it, is imported for those to come.

The agent starts it with ``python -m trainer.process.fork_server``. They speak over a socket that keeps
messages apart: a request is the child's target ("module:function") and a module that it needs, with two
descriptors (its channel and its stderr); answers are JSON. `multiprocessing` has a fork server too, but that
one lives on until its last child has gone, even when its starter was killed, and starting a child blocks
until everything is imported. Here the chain of agent, server and child is tied by PR_SET_PDEATHSIG, so that
whoever dies takes all below it along, and the agent is never blocked.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

from common.errors import InternalError
from trainer.process.environment import KEPT_MEMORY, environment

PR_SET_PDEATHSIG = 1
_MESSAGE_BYTES = 65536

IDLE_SECONDS = 0.05
"""A server that nobody asks for a child for so long goes on importing."""


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

    Attributes
    ----------
    starts : int
        How often it was started; a child lives no longer than the server that forked it.

    Notes
    -----
    It must be started from the main thread: PR_SET_PDEATHSIG watches the thread that started a process.
    """

    def __init__(self, preload: str, later: str = "") -> None:
        self._preload, self._later = preload, later
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self.is_ready = False
        self.starts = 0
        self.child_pid: int | None = None
        self.child_exit: Exit | None = None

    def start(self) -> None:
        """Start the server unless it runs; it is ready once it has imported what it must."""
        if self.is_alive:
            return
        self.close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            arguments = [str(theirs.fileno()), str(os.getpid()), self._preload, self._later]
            self._process = subprocess.Popen(
                [sys.executable, "-m", "trainer.process.fork_server", *arguments],
                env=KEPT_MEMORY | os.environ | environment(),
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        ours.setblocking(False)
        self._control = ours
        self.starts += 1

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
                message = self._control.recv(_MESSAGE_BYTES)
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


def main(control_fd: int, parent: int, preload: str, later: str) -> None:
    """Import what children need, then fork one a request until the agent closes the socket."""
    # Stopping is the agent's decision: a signal to the whole group must not cost a fold.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    die_with(parent)
    control = socket.socket(fileno=control_fd)
    _import(preload, control)
    _say(control, ready=True)
    pipes = [*os.pipe(), *os.pipe()]
    wake_read, wake_write, lessons_read, lessons_write = pipes
    for pipe in pipes:
        os.set_blocking(pipe, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    while True:
        watched = [control.fileno(), wake_read, lessons_read]
        readable, _, _ = select.select(watched, [], [], IDLE_SECONDS if later else None)
        if not readable:
            _import(later, control)
            later = ""
        if wake_read in readable:
            os.read(wake_read, _MESSAGE_BYTES)
            for one in _exits():
                _say(control, **one)
        if lessons_read in readable:
            _learn(os.read(lessons_read, _MESSAGE_BYTES))
        if control.fileno() in readable:
            request, descriptors, _, _ = socket.recv_fds(control, _MESSAGE_BYTES, 2)
            if not request:
                return
            target, needs = request.decode().split(" ")
            _import(needs, control)
            server, child = os.getpid(), os.fork()
            if child == 0:
                foreign = [control.detach(), wake_read, wake_write, lessons_read]
                _be_child(server, target, descriptors, foreign, lessons_write)
            for descriptor in descriptors:
                os.close(descriptor)
            _say(control, born=child)


def _import(module: str, control: socket.socket) -> None:
    if not module or module in sys.modules:
        return
    try:
        importlib.import_module(module)
    except Exception as error:
        _say(control, failed=f"{type(error).__name__}: {error}")
        sys.exit(1)
    # Collections in a child must not touch, and so copy, the pages that it shares with the server.
    gc.freeze()


def _learn(packages: bytes) -> None:
    """Import what children had to import on their own."""
    for package in packages.decode().split():
        # A child that needs it again fails by itself, and says so.
        with suppress(Exception):
            importlib.import_module(package)
    gc.freeze()


def _exits() -> list[dict[str, int]]:
    exits: list[dict[str, int]] = []
    while True:
        try:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return exits
        if pid == 0:
            return exits
        code = os.waitstatus_to_exitcode(status)
        exits.append({"pid": pid, "exit": code, "peak": usage.ru_maxrss * 1024})


def _be_child(server: int, target: str, descriptors: list[int], foreign: list[int], lessons: int) -> NoReturn:
    # To look at each name would write to the page that it is on, and so copy it.
    code, known = 1, len(sys.modules)
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        die_with(server)
        for descriptor in foreign:
            os.close(descriptor)
        channel, stderr = descriptors
        os.dup2(stderr, 1)
        os.dup2(stderr, 2)
        os.close(stderr)
        _be_first_victim()
        faulthandler.enable(2)
        faulthandler.register(signal.SIGUSR1, 2)
        module, _, function = target.partition(":")
        getattr(importlib.import_module(module), function)(socket.socket(fileno=channel))
        with suppress(OSError):
            os.write(lessons, "".join(f"{package} " for package in _packages_after(known)).encode())
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _packages_after(known: int) -> list[str]:
    """Return the packages among the modules that were imported after the first `known` ones."""
    later = islice(reversed(sys.modules), max(0, len(sys.modules) - known))
    return [name for name in later if "." not in name]


def _be_first_victim() -> None:
    """Have the kernel kill the child when memory runs out, not the agent, which reports what happened."""
    try:
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    except OSError:
        return


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends, or end now if it has ended."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _say(control: socket.socket, **message: object) -> None:
    try:
        control.send(json.dumps(message).encode())
    except OSError:
        os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
