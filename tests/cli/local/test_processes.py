from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.local.processes import HEALTHY_SECONDS, SETTLED_SECONDS, Child, describe_exit, stop

WAIT = "print('up', flush=True); time.sleep(60)"
OBEDIENT = f"import signal, sys, time; signal.signal(15, lambda *_: sys.exit(0)); {WAIT}"
STUBBORN = f"import signal, time; signal.signal(15, signal.SIG_IGN); {WAIT}"


@pytest.fixture
def child() -> Iterator[Callable[[str], Child]]:
    made: list[Child] = []

    def make(script: str) -> Child:
        made.append(Child("child", [sys.executable, "-c", script], dict(os.environ)))
        made[-1].start()
        until(lambda: "up" in made[-1].last_lines or made[-1].exit_code is not None)
        return made[-1]

    yield make
    stop(made, 0)


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)


def test_a_child_that_was_healthy_is_back_at_once(child: Callable[[str], Child]) -> None:
    one = child(OBEDIENT)
    first = one.process
    assert first is not None
    one.failures, one.started_at = 4, one.started_at - HEALTHY_SECONDS
    first.kill()
    first.wait()
    assert one.keep_alive()
    assert (one.starts, one.failures, one.exit_code) == (2, 0, None)
    assert not one.keep_alive()


def test_a_child_that_refuses_to_start_is_tried_again_with_pauses_however_long_it_took(
    child: Callable[[str], Child],
) -> None:
    one = child("import sys; print('no folder', flush=True); sys.exit(2)")
    until(lambda: one.exit_code is not None)
    one.started_at -= HEALTHY_SECONDS
    assert one.keep_alive()
    assert (one.starts, one.refusals, one.said()) == (1, 1, "no folder")
    assert not one.keep_alive(), "and not started before its backoff is over"
    one.restart_at = time.monotonic()
    one.keep_alive()
    until(lambda: one.exit_code is not None)
    one.keep_alive()
    assert (one.starts, one.refusals) == (2, 2)


@pytest.mark.parametrize("script", [OBEDIENT, "import sys; sys.exit(1)"])
def test_a_child_that_ends_otherwise_has_not_refused(child: Callable[[str], Child], script: str) -> None:
    one = child(script)
    one.refusals = 2
    if one.process is not None:
        one.process.kill()
    until(lambda: one.exit_code is not None)
    assert one.keep_alive()
    assert one.refusals == 0


def test_a_child_that_lives_for_a_while_refuses_no_longer(child: Callable[[str], Child]) -> None:
    one = child(OBEDIENT)
    one.refusals = 2
    one.keep_alive()
    assert one.refusals == 2
    one.started_at -= SETTLED_SECONDS
    one.keep_alive()
    assert one.refusals == 0


def test_a_child_that_died_young_is_started_again_after_its_backoff(child: Callable[[str], Child]) -> None:
    one = child(OBEDIENT)
    first = one.process
    assert first is not None
    first.kill()
    first.wait()
    assert one.keep_alive(), "its death is reported once"
    assert not one.keep_alive(), "and not started before its backoff is over"
    until(lambda: one.keep_alive() is False and one.starts == 2)
    assert one.process is not None and one.process.pid != first.pid


def test_the_wait_grows_with_each_death_in_a_row(child: Callable[[str], Child]) -> None:
    one = child("import sys; sys.exit(3)")
    waits = []
    for _ in range(3):
        until(lambda: one.exit_code is not None)
        assert one.keep_alive()
        waits.append(one.restart_at - time.monotonic())
        one.restart_at = time.monotonic()
        one.keep_alive()
    assert one.starts == 4
    assert waits[0] <= 0.5 < waits[1] * 2 and waits[2] > waits[0]


def test_stopping_asks_first_and_kills_what_does_not_listen(child: Callable[[str], Child]) -> None:
    obedient, stubborn = child(OBEDIENT), child(STUBBORN)
    stop([obedient, stubborn], 1.0)
    assert obedient.exit_code == 0
    assert stubborn.exit_code == -signal.SIGKILL


def test_children_notice_the_death_of_their_parent_by_the_end_of_their_standard_input() -> None:
    script = (
        "import os, sys, time; from cli.local.processes import Child\n"
        "reader = [sys.executable, '-c', 'import sys; sys.stdin.read()']\n"
        "one = Child('reader', reader, dict(os.environ)); one.start()\n"
        "print(one.process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        grandchild = int(parent.stdout.readline())
        parent.kill()
    until(lambda: not _alive(grandchild))


def _alive(pid: int) -> bool:
    try:
        with Path(f"/proc/{pid}/stat").open() as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_exits_are_said_in_words() -> None:
    assert describe_exit(-9) == "SIGKILL"
    assert describe_exit(2) == "exit code 2"


LISTENER = "import sys, time; print('heard', sys.stdin.readline().strip(), flush=True); time.sleep(60)"


def test_what_a_child_waits_for_it_is_told_again_at_each_start() -> None:
    one = Child("child", [sys.executable, "-c", LISTENER], dict(os.environ))
    one.start()
    try:
        one.tell("http://127.0.0.1:5000")
        until(lambda: "heard http://127.0.0.1:5000" in one.last_lines)
        assert one.process is not None
        one.last_lines.clear()
        one.process.kill()
        one.process.wait()
        one.started_at -= HEALTHY_SECONDS
        assert one.keep_alive()
        until(lambda: "heard http://127.0.0.1:5000" in one.last_lines)
    finally:
        stop([one], 0)


def test_a_dead_child_is_told_nothing_and_that_is_no_error() -> None:
    one = Child("child", [sys.executable, "-c", "pass"], dict(os.environ))
    one.start()
    assert one.process is not None
    one.process.wait()
    one.tell("http://127.0.0.1:5000")
    stop([one], 0)
