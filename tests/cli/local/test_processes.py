from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cli.local.processes import HEALTHY_SECONDS, Child, describe_exit, stop

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
    assert (one.starts, one.refusals, one.refusal) == (2, 2, "no folder")


@pytest.mark.parametrize(("script", "code"), [(OBEDIENT, -9), ("import sys; sys.exit(1)", 1)])
def test_a_child_that_ends_otherwise_has_not_refused(
    child: Callable[[str], Child], script: str, code: int
) -> None:
    one = child(script)
    one.refusals, one.refusal = 2, "no folder"
    if script is OBEDIENT:
        assert one.process is not None
        one.process.kill()
    until(lambda: one.exit_code is not None)
    assert one.exit_code == code
    assert one.keep_alive()
    assert (one.refusals, one.refusal) == (0, "")


def test_a_child_that_was_at_work_refuses_nothing_when_it_asks_for_a_correction(
    child: Callable[[str], Child],
) -> None:
    one = child("import sys; print('another token', flush=True); sys.exit(2)")
    until(lambda: one.exit_code is not None)
    one.refusals, began = 2, one.began
    assert began is not None
    one.shows_itself(began - timedelta(seconds=1))
    assert one.refusals == 2, "that was the process before it"
    one.shows_itself(began)
    assert one.refusals == 0
    one.started_at -= HEALTHY_SECONDS
    assert one.keep_alive()
    assert (one.refusals, one.starts, one.is_at_work) == (0, 2, False)


@pytest.mark.parametrize(
    ("script", "refusals", "expected"),
    [
        ("import sys; sys.exit(2)", 2, False),
        ("import sys; sys.exit(2)", 3, True),
        # It may have been started after the correction.
        (OBEDIENT, 3, False),
        (OBEDIENT, 6, True),
    ],
)
def test_a_child_goes_on_refusing_unless_it_may_have_been_corrected(
    child: Callable[[str], Child], script: str, refusals: int, expected: bool
) -> None:
    one = child(script)
    one.refusals = refusals
    if script is not OBEDIENT:
        until(lambda: one.exit_code == 2)
    assert one.goes_on_refusing is expected


def test_the_last_words_are_those_before_a_traceback(child: Callable[[str], Child]) -> None:
    record = "2026-03-02T12:00:00.000Z ERROR child trainer: no folder"
    one = child(f"print({record!r}); print('    Traceback'); print('    ValueError: x', flush=True)")
    until(lambda: len(one.last_lines) == 3)
    assert one.said() == "no folder"


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
