"""Why a child died that left no outcome.

A cause is named only by evidence: our own kill, the kernel's counter of out-of-memory kills, or the exit
status.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

from common.protocol.jobs import Cause
from common.protocol.trainers import Progress
from trainer.process.channel import AttemptFailure
from trainer.process.fork_server import Exit

DeathCause = Literal[Cause.CRASH, Cause.TIMEOUT, Cause.OOM]


class Killed(Enum):
    """Why the agent killed the child."""

    MEMORY = auto()
    DEADLINE = auto()
    REQUEST = auto()


@dataclass(frozen=True)
class Limits:
    """What a child may take: anonymous memory in bytes, and time in seconds."""

    memory_bytes: int
    deadline_seconds: float


@dataclass(frozen=True)
class Death:
    """The evidence.

    `exit` is None if the fork server died with the child. `kernel_kills` is by how much the cgroup's
    counter of out-of-memory kills rose shortly before; `group_peak_bytes` and `group_limit_bytes` are the
    cgroup's. `output` is the end of what the child wrote to stdout and stderr.
    """

    exit: Exit | None
    killed: Killed | None
    kernel_kills: int
    seconds: float
    limits: Limits
    progress: Progress
    group_peak_bytes: int | None
    group_limit_bytes: int | None
    output: str

    def explain(self) -> AttemptFailure:
        """Return the cause, one line that names it, and the evidence in full."""
        progress = self.progress
        stage = progress.stage or "none"
        cause, message, reason = self._judge()
        lines = [
            reason,
            f"last progress: {stage} {progress.done}/{progress.total}, {self.seconds:.1f} s after the start",
            f"anonymous memory: {gib(progress.memory_bytes)} last, {gib(progress.peak_memory_bytes)} peak, "
            f"{gib(self.limits.memory_bytes)} allowed",
        ]
        if self.exit:
            # Of the process, which may have done other jobs before.
            lines.append(
                f"exit: {status(self.exit.code)}, peak resident {gib(self.exit.peak_resident_bytes)}"
            )
        if self.output:
            lines.append(f"last output:\n{self.output}")
        return AttemptFailure(cause=cause, message=message, evidence="\n".join(lines))

    def _judge(self) -> tuple[DeathCause, str, str]:
        peak = gib(self.progress.peak_memory_bytes)
        if self.killed is Killed.MEMORY:
            message = f"out of memory: took {peak} of {gib(self.limits.memory_bytes)}"
            return Cause.OOM, message, "killed by the agent, which watches the memory of its child"
        if self.killed is Killed.DEADLINE:
            stage = self.progress.stage or "its start"
            message = f"hung in {stage}: no end after {self.limits.deadline_seconds:.0f} s"
            return Cause.TIMEOUT, message, "killed by the agent at the deadline"
        if self.kernel_kills > 0 and (self.exit is None or self.exit.code == -signal.SIGKILL):
            group = f"cgroup peak {gib(self.group_peak_bytes)}, cgroup limit {gib(self.group_limit_bytes)}"
            message = f"out of memory: killed by the kernel at {peak}"
            return Cause.OOM, message, f"the cgroup's oom_kill counter rose by {self.kernel_kills}; {group}"
        if self.exit is None:
            return Cause.CRASH, "the fork server died, and the job with it", "its socket was closed"
        if self.exit.code == 0:
            return Cause.CRASH, "the job ended without a result", "it exited by itself"
        reason = "killed neither by the agent nor, by the cgroup's counter, as out of memory"
        return Cause.CRASH, f"the job died: {status(self.exit.code)}", reason


def status(code: int) -> str:
    """Say an exit status in words: ``exit code 1`` or ``SIGKILL``."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def gib(count: int | None) -> str:
    """Say a number of bytes in GiB."""
    return "unknown" if count is None else f"{count / 1024**3:.2f} GiB"
