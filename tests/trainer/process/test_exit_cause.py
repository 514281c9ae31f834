import signal
from dataclasses import replace

import pytest

from common.protocol.jobs import Cause
from common.protocol.trainers import Progress
from trainer.process.exit_cause import Death, Killed, Limits, gib, status
from trainer.process.fork_server import Exit

GIB = 1024**3
UNKNOWN = Death(
    exit=Exit(-signal.SIGKILL, 2 * GIB),
    killed=None,
    kernel_kills=0,
    seconds=12.34,
    limits=Limits(memory_bytes=2 * GIB, deadline_seconds=600.0),
    progress=Progress(stage="crossval", done=3, total=5, memory_bytes=GIB, peak_memory_bytes=3 * GIB // 2),
    group_peak_bytes=2 * GIB,
    group_limit_bytes=2 * GIB,
    output="",
)


@pytest.mark.parametrize(
    ("known", "cause", "message"),
    [
        ({"killed": Killed.MEMORY}, Cause.OOM, "out of memory: took 1.50 GiB of 2.00 GiB"),
        ({"killed": Killed.DEADLINE}, Cause.TIMEOUT, "hung in crossval: no end after 600 s"),
        ({"kernel_kills": 1}, Cause.OOM, "out of memory: killed by the kernel at 1.50 GiB"),
        ({}, Cause.CRASH, "the job died: SIGKILL"),
        ({"exit": Exit(-signal.SIGSEGV, 0)}, Cause.CRASH, "the job died: SIGSEGV"),
        ({"exit": Exit(-63, 0)}, Cause.CRASH, "the job died: signal 63"),
        ({"exit": Exit(1, 0)}, Cause.CRASH, "the job died: exit code 1"),
        ({"exit": Exit(0, 0)}, Cause.CRASH, "the job ended without a result"),
        ({"exit": None}, Cause.CRASH, "the fork server died, and the job with it"),
        ({"exit": None, "kernel_kills": 2}, Cause.OOM, "out of memory: killed by the kernel at 1.50 GiB"),
        # What the agent did itself is known best; the counter may tell of another process of the group.
        ({"killed": Killed.MEMORY, "kernel_kills": 1}, Cause.OOM, "out of memory: took 1.50 GiB of 2.00 GiB"),
        (
            {"killed": Killed.DEADLINE, "kernel_kills": 1},
            Cause.TIMEOUT,
            "hung in crossval: no end after 600 s",
        ),
        # The kernel kills with SIGKILL only.
        ({"exit": Exit(-signal.SIGSEGV, 0), "kernel_kills": 1}, Cause.CRASH, "the job died: SIGSEGV"),
        ({"exit": Exit(1, 0), "kernel_kills": 1}, Cause.CRASH, "the job died: exit code 1"),
    ],
)
def test_the_cause_is_named_by_the_evidence_alone(known, cause, message) -> None:
    failure = replace(UNKNOWN, **known).explain()
    assert (failure.cause, failure.message) == (cause, message)


def test_the_evidence_has_counter_progress_memory_exit_and_output() -> None:
    failure = replace(UNKNOWN, kernel_kills=1, output="last words").explain()
    assert failure.evidence.splitlines() == [
        "the cgroup's oom_kill counter rose by 1; cgroup peak 2.00 GiB, cgroup limit 2.00 GiB",
        "last progress: crossval 3/5, 12.3 s after the start",
        "anonymous memory: 1.00 GiB last, 1.50 GiB peak, 2.00 GiB allowed",
        "exit: SIGKILL, peak resident 2.00 GiB",
        "last output:",
        "last words",
    ]


def test_a_child_that_never_said_anything_hung_at_its_start() -> None:
    silent = replace(UNKNOWN, killed=Killed.DEADLINE, progress=replace_stage(""))
    assert silent.explain().message == "hung in its start: no end after 600 s"


def replace_stage(stage: str) -> Progress:
    return UNKNOWN.progress.model_copy(update={"stage": stage})


def test_what_is_unknown_is_said_to_be() -> None:
    assert gib(None) == "unknown"
    assert gib(3 * GIB // 2) == "1.50 GiB"
    assert (status(3), status(-9), status(-63)) == ("exit code 3", "SIGKILL", "signal 63")
