"""The pauses of whoever waits for a night, which news ends."""

from __future__ import annotations

import os
import sys
import time

import pytest

from cli.local.interrupt import Interrupt
from cli.local.processes import Child, stop
from cli.local.supervision import Supervision

LONG_SECONDS = 60.0


@pytest.fixture
def supervision() -> Supervision:
    return Supervision(Interrupt(), lambda _: None)


def test_what_a_process_prints_can_end_the_pause(supervision: Supervision) -> None:
    script = "print('a line', flush=True); print('it is over', flush=True); import time; time.sleep(60)"
    child = Child("child", [sys.executable, "-c", script], dict(os.environ))
    heard: list[str] = []

    def hear(line: str) -> None:
        heard.append(line)
        if "over" in line:
            supervision.news.set()

    child.heard = hear
    began, looks = time.monotonic(), 0

    def is_over() -> bool:
        nonlocal looks
        looks += 1
        return "it is over" in heard

    try:
        supervision.employ(child)
        supervision.until(is_over, LONG_SECONDS)
    finally:
        stop([child], 0)
    assert (heard, looks) == (["a line", "it is over"], 2), "it is asked when there is news, and not before"
    assert time.monotonic() - began < LONG_SECONDS / 2


def test_news_that_came_while_it_was_asked_is_not_slept_over(supervision: Supervision) -> None:
    answers = iter((False, True))

    def is_over() -> bool:
        supervision.news.set()
        return next(answers)

    began = time.monotonic()
    supervision.until(is_over, LONG_SECONDS)
    assert time.monotonic() - began < LONG_SECONDS / 2


def test_without_news_it_is_asked_after_each_pause(supervision: Supervision) -> None:
    answers = iter((False, False, True))
    supervision.until(lambda: next(answers), 0.01)
    assert next(answers, None) is None
