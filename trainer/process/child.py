"""The child process of a job as the agent sees it: started, watched, asked to stop, killed, buried.

A child that has trained a cell may rest, and be given another job; each has limits, progress and an end of
its own. One that has any other end is buried: it has exited, and all that it said is there.

A child that takes more anonymous memory than it may is killed here, so that there is a limit without a
container too; within one the kernel is often faster.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import time
from collections.abc import Sequence

from pydantic import ValidationError

from common.host import ControlGroup, anonymous_memory_bytes
from common.protocol.jobs import Cause
from common.protocol.reports import Checkpoint
from common.protocol.trainers import Progress
from trainer.process.channel import (
    READS,
    AgentEnd,
    AttemptFailure,
    Count,
    Lookup,
    Message,
    Rest,
    Result,
    Step,
    Stopped,
    Task,
)
from trainer.process.exit_cause import Death, Killed, Limits
from trainer.process.fork_server import ForkServer

LOG = logging.getLogger(__name__)

WATCH_SECONDS = 0.05
"""Memory and the kernel's counter are looked at so often."""

LOOK_SECONDS = 0.005
"""They are looked at no more often than that: a small cell has news many times in it."""

STACK_SECONDS = 0.5
"""How long a hung child has to write its Python stack before it is killed."""

FAREWELL_SECONDS = 5.0
"""How long a child may live on after its outcome."""

KERNEL_SECONDS = 10.0
"""A large process takes a while to die: a kill that was counted so shortly before the exit was its own."""

TAIL_BYTES = 8192

End = Result | Stopped | AttemptFailure | Killed


class Child:
    """One process with the job that it has at present.

    Parameters
    ----------
    server : ForkServer
        Forks the process; it has no other child.
    target : str
        What the process runs, ``module:function``; it gets its end of the channel.
    task : Task
        Is sent to it.
    limits : Limits
        What it may take.
    group : ControlGroup
        Where the kernel counts its kills.
    needs : str
        The module that the server must have imported; empty: none.
    """

    def __init__(
        self,
        server: ForkServer,
        target: str,
        task: Task,
        limits: Limits,
        group: ControlGroup,
        needs: str = "",
    ) -> None:
        self._server, self._group = server, group
        self._buried = False
        self._output_ended = False
        self._base = 0
        self._forked = time.monotonic()
        self._kills = group.oom_kills() or 0
        self._begin(limits)
        ours, theirs = socket.socketpair()
        self._stderr, stderr = os.pipe()
        os.set_blocking(self._stderr, False)
        self._end = AgentEnd(ours)
        with theirs:
            server.fork(target, theirs, stderr, needs)
        self._forked_by = server.starts
        os.close(stderr)
        self._end.give(task)

    def _begin(self, limits: Limits) -> None:
        self._limits = limits
        self._started = time.monotonic()
        self._step = Step(stage="", done=0, total=0)
        self._memory = self._peak = 0
        self._looked_at = 0.0
        self._lookups: list[Lookup] = []
        self._counts: list[Count] = []
        self._checkpoint: Checkpoint | None = None
        self._outcome: Result | Stopped | AttemptFailure | None = None
        self._outcome_at = 0.0
        self._rests = False
        self._killed: Killed | None = None
        self._hung_at: float | None = None
        self._kills_before = self._kills
        self._kill_counted_at: float | None = None
        self._output = bytearray()

    def give(self, task: Task, limits: Limits) -> None:
        """Give a child that rests another task; from now on it is about this one.

        A kill by the kernel that is not counted yet is of this job too: what rests may be dead already.
        """
        assert self.rests
        self._begin(limits)
        self._end.give(task)

    def send_away(self) -> None:
        """Have a child whose job has a result end, and wait until it has; one that does not is killed."""
        if self._buried:
            return
        self._rests, self._outcome_at = False, time.monotonic()
        self._end.send_away()
        while self.poll() is None:
            pass

    @property
    def rests(self) -> bool:
        """Whether its job is done and it waits for another one, as far as is known."""
        if self._rests:
            self._server.listen()
        return self._rests and self._killed is None and not self._is_gone

    @property
    def age_seconds(self) -> float:
        """Seconds since it was forked."""
        return time.monotonic() - self._forked

    @property
    def grown_bytes(self) -> int:
        """By how much its anonymous memory has grown since it was forked, when it was last looked at."""
        return self._memory - self._base

    @property
    def seconds(self) -> float:
        """Seconds since the start of its job."""
        return time.monotonic() - self._started

    @property
    def pid(self) -> int | None:
        """Process id, once it is known."""
        return self._server.child_pid

    @property
    def progress(self) -> Progress:
        """How far it is, and its anonymous memory."""
        return Progress(
            stage=self._step.stage,
            done=self._step.done,
            total=self._step.total,
            memory_bytes=self._memory,
            peak_memory_bytes=self._peak,
        )

    def take_checkpoint(self) -> Checkpoint | None:
        """Return the latest checkpoint, unless it was taken already."""
        checkpoint, self._checkpoint = self._checkpoint, None
        return checkpoint

    def take_lookups(self) -> list[Lookup]:
        """Return what it has looked up in the caches since this was last asked."""
        lookups, self._lookups = self._lookups, []
        return lookups

    def take_counts(self) -> list[Count]:
        """Return what it has done to the cache of candles since this was last asked."""
        counts, self._counts = self._counts, []
        return counts

    @property
    def killed(self) -> Killed | None:
        """Why the agent killed it, if it did."""
        return self._killed

    def ask_to_stop(self) -> None:
        """Ask it to give up after its next checkpoint."""
        self._end.ask_to_stop()

    def kill(self) -> None:
        """Kill it now; its end is `Killed.REQUEST` unless an outcome had come before."""
        self._kill(Killed.REQUEST)

    def poll(self, wake: Sequence[int] = ()) -> End | None:
        """Wait for news for a moment, hold the child to its limits, and return its end if it came.

        Parameters
        ----------
        wake : sequence of int
            Descriptors that end the wait as well.
        """
        watched = [number for number in (self._server.fileno(), *wake) if number >= 0]
        if not self._end.ended:
            watched.append(self._end.fileno())
        if not self._output_ended:
            watched.append(self._stderr)
        select.select(watched, [], [], WATCH_SECONDS)
        self._server.listen()
        self._read_output()
        self._read_messages()
        if self._is_gone and self._end.ended:
            return self._bury()
        if self._rests and self._killed is None and self._outcome is not None and self.pid is not None:
            self._read_output()
            self._watch_memory()
            return self._told(self._outcome)
        if time.monotonic() - self._looked_at >= LOOK_SECONDS:
            self._watch_memory()
        self._hold_to_limits()
        return None

    @property
    def _is_gone(self) -> bool:
        server = self._server
        return server.child_exit is not None or not server.is_alive or server.starts != self._forked_by

    def _read_messages(self) -> None:
        try:
            for message in self._end.receive():
                self._take(message)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            text = f"the job sent a {error.title} that does not fit: {place}: {first['msg']}"
            self._take(AttemptFailure(cause=Cause.ERROR, message=text, evidence=str(error)[:TAIL_BYTES]))

    def _take(self, message: Message) -> None:
        if isinstance(message, Step):
            self._step = message
        elif isinstance(message, Lookup):
            self._lookups.append(message)
        elif isinstance(message, Count):
            self._counts.append(message)
        elif isinstance(message, Checkpoint):
            self._checkpoint = message
        elif isinstance(message, Rest):
            self._rests = isinstance(self._outcome, Result)
            if not self._rests:
                self._end.send_away()
        elif self._outcome is None:
            self._outcome, self._outcome_at = message, time.monotonic()

    def _read_output(self) -> None:
        if self._output_ended:
            return
        try:
            for _ in range(READS):
                part = os.read(self._stderr, 65536)
                self._output_ended = not part
                if self._output_ended:
                    return
                self._output += part
                del self._output[:-TAIL_BYTES]
        except BlockingIOError:
            return

    def _watch_memory(self) -> None:
        self._looked_at = time.monotonic()
        if self.pid is not None and (memory := anonymous_memory_bytes(self.pid)):
            self._memory, self._peak = memory, max(memory, self._peak)
            self._base = self._base or memory
        kills = self._group.oom_kills() or 0
        if kills != self._kills:
            self._kills, self._kill_counted_at = kills, time.monotonic()

    def _hold_to_limits(self) -> None:
        now = time.monotonic()
        if self._outcome is not None:
            if now - self._outcome_at > FAREWELL_SECONDS:
                self._kill(Killed.REQUEST)
        elif self._memory > self._limits.memory_bytes:
            self._kill(Killed.MEMORY)
        elif self._hung_at is None and self.seconds > self._limits.deadline_seconds:
            self._hung_at = now
            if self.pid is not None:
                self._server.kill_child(signal.SIGUSR1)
        elif self._hung_at is not None and now - self._hung_at > STACK_SECONDS:
            self._kill(Killed.DEADLINE)

    def _kill(self, why: Killed) -> None:
        self._killed = self._killed or why
        if not self._buried:
            self._server.kill_child()

    def _bury(self) -> End:
        self._buried = True
        self._read_output()
        self._watch_memory()
        self._end.close()
        os.close(self._stderr)
        if self._outcome is not None:
            return self._told(self._outcome)
        if self._killed is Killed.REQUEST:
            return Killed.REQUEST
        counted = self._kill_counted_at
        by_kernel = counted is not None and time.monotonic() - counted <= KERNEL_SECONDS
        return Death(
            exit=self._server.child_exit,
            killed=self._killed or (Killed.DEADLINE if self._hung_at is not None else None),
            kernel_kills=self._kills - self._kills_before if by_kernel else 0,
            seconds=self.seconds,
            limits=self._limits,
            progress=self.progress,
            group_peak_bytes=self._group.memory_peak_bytes(),
            group_limit_bytes=self._group.memory_limit_bytes(),
            output=self._said,
        ).explain()

    @property
    def _said(self) -> str:
        return self._output.decode(errors="replace").strip()

    def _told(self, outcome: Result | Stopped | AttemptFailure) -> End:
        if self._said:
            LOG.debug("the job wrote: %s", self._said)
        return outcome
