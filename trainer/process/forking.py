"""The fork server itself: a warm process that forks children; it has the numeric stack and computes nothing.

It is ready as soon as it has imported what the first job needs. The rest is imported while nobody asks for a
child, or before a child that needs it is forked; and what a child had to import on its own, because few jobs
need it, is imported for those to come.

``python -m trainer.process.forking FD PARENT PRELOAD LATER`` serves the agent at the other end of a socket,
and dies with it. With ``--shared FD PRELOAD LATER`` it serves all agents of this user that come to a
listening socket, so that a host imports once for all its trainers; it ends when its standard input has ended
and the last agent has left. Sockets keep messages apart: a request is the child's target ("module:function")
and a module that it needs, with two descriptors (its channel and its stderr); answers are JSON.

`multiprocessing` has a fork server too, but that one lives on until its last child has gone, even when its
starter was killed, and starting a child blocks until everything is imported. Here a child dies when its
agent closes the socket, which the kernel does for an agent that dies, or when the server dies.
"""

from __future__ import annotations

import ctypes
import faulthandler
import importlib
import json
import os
import select
import signal
import socket
import struct
import sys
import traceback
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

from common.lean_import import uncollected

PR_SET_PDEATHSIG = 1
MESSAGE_BYTES = 65536

IDLE_SECONDS = 0.05
"""A server that nobody asks for a child for so long goes on importing."""


class Agents:
    """The agents that are served, and the child of each.

    Parameters
    ----------
    preload : str
        The module that is imported before an agent is told that the server is ready.
    later : str
        One that is imported when nobody asks for a child; empty: none.
    """

    def __init__(self, preload: str, later: str) -> None:
        self._preload, self._later = preload, later
        self._children: dict[socket.socket, int | None] = {}
        self._listening: socket.socket | None = None
        self._not_for_children: list[int] = []

    def take(self, control: socket.socket) -> None:
        """Serve an agent."""
        self._children[control] = None
        if self._preload in sys.modules:
            _say(control, ready=True)

    def serve(self, listening: socket.socket | None = None) -> None:
        """Import what children need, then fork one a request, until nobody is left.

        Parameters
        ----------
        listening : socket.socket, optional
            Where further agents come, for as long as standard input has not ended.
        """
        self._listening = listening
        given = _given_input() if listening else -1
        if not self._import(self._preload):
            return
        for control in list(self._children):
            _say(control, ready=True)
        wake, lessons = os.pipe(), os.pipe()
        self._not_for_children = [*wake, lessons[0], *([given] if listening else [])]
        for pipe in (*wake, *lessons):
            os.set_blocking(pipe, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake[1], warn_on_full_buffer=False)
        while self._children or self._listening:
            can_idle = bool(self._later and self._children)
            watched: list[Any] = [wake[0], lessons[0], *self._children]
            watched += [self._listening, given] if self._listening else []
            readable, _, _ = select.select(watched, [], [], IDLE_SECONDS if can_idle else None)
            if not readable:
                later, self._later = self._later, ""
                if not self._import(later):
                    return
            if wake[0] in readable:
                os.read(wake[0], MESSAGE_BYTES)
                self._bury()
            if lessons[0] in readable:
                _learn(os.read(lessons[0], MESSAGE_BYTES))
            for control in [one for one in self._children if one in readable]:
                if not self._answer(control, lessons[1]):
                    return
            if self._listening in readable:
                self._let_in()
            if self._listening and given in readable and not os.read(given, MESSAGE_BYTES):
                self._listening.close()
                self._listening = None

    def _import(self, module: str) -> bool:
        """Import a module; if that fails, tell all agents why, and return False."""
        if not module or module in sys.modules:
            return True
        try:
            # Later collections, in a child too, leave alone what was made here: they would copy its pages.
            with uncollected():
                importlib.import_module(module)
        except Exception as error:
            for control in self._children:
                _say(control, failed=f"{type(error).__name__}: {error}")
            return False
        return True

    def _let_in(self) -> None:
        assert self._listening
        with suppress(OSError):
            control, _ = self._listening.accept()
            # A name that is no file has no mode: whoever runs code here must be who runs this.
            if is_of_this_user(control):
                self.take(control)
            else:
                control.close()

    def _answer(self, control: socket.socket, lessons: int) -> bool:
        """Fork the child that an agent asks for; return whether that was possible."""
        request = b""
        descriptors: list[int] = []
        with suppress(OSError):
            request, descriptors, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 2)
        if not request:
            self._leave(control)
            return True
        target, needs = request.decode().split(" ")
        if not self._import(needs):
            return False
        server, child = os.getpid(), os.fork()
        if child == 0:
            sockets = [*self._children, *([self._listening] if self._listening else [])]
            foreign = [*self._not_for_children, *(one.detach() for one in sockets)]
            _be_child(server, target, descriptors, foreign, lessons)
        for descriptor in descriptors:
            os.close(descriptor)
        self._children[control] = child
        _say(control, born=child)
        return True

    def _leave(self, control: socket.socket) -> None:
        """Let an agent go, and its child with it."""
        child = self._children.pop(control)
        control.close()
        if child is not None:
            os.kill(child, signal.SIGKILL)

    def _bury(self) -> None:
        while True:
            try:
                child, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if child == 0:
                return
            for control, present in self._children.items():
                if present == child:
                    self._children[control] = None
                    code = os.waitstatus_to_exitcode(status)
                    _say(control, pid=child, exit=code, peak=usage.ru_maxrss * 1024)


def main(arguments: list[str]) -> None:
    """Serve one agent, or all that come."""
    # Stopping is the agent's decision: a signal to the whole group must not cost a fold.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if arguments[0] == "--shared":
        listening, preload, later = arguments[1:]
        door = socket.socket(fileno=int(listening))
        door.setblocking(False)
        Agents(preload, later).serve(door)
        return
    control, parent, preload, later = arguments
    die_with(int(parent))
    agents = Agents(preload, later)
    agents.take(socket.socket(fileno=int(control)))
    agents.serve()


def is_of_this_user(control: socket.socket) -> bool:
    """Return whether the process at the other end of a Unix socket is of the same user."""
    _, user, _ = struct.unpack("3i", control.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return bool(user == os.getuid())


def _given_input() -> int:
    """Return standard input under another number; in its place is nothing, which is all that children see."""
    given = os.dup(0)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    return given


def _learn(packages: bytes) -> None:
    """Import what children had to import on their own."""
    for package in packages.decode().split():
        # A child that needs it again fails by itself, and says so.
        with suppress(Exception), uncollected():
            importlib.import_module(package)


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
    # An agent that has gone is noticed where its next request would be read.
    with suppress(OSError):
        control.send(json.dumps(message).encode())


if __name__ == "__main__":
    main(sys.argv[1:])
