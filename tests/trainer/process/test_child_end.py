"""What a child tells, and when: seldom, never late, and all of it before its end."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.protocol.jobs import Cause
from tests.trainer.targets import SPEC, checkpoint, training_report
from trainer.process.channel import (
    AgentEnd,
    AttemptFailure,
    Lookup,
    Message,
    Rest,
    Result,
    Step,
    Stopped,
    Task,
)
from trainer.process.child_end import STEP_SECONDS, ChildEnd

FAILURE = AttemptFailure(cause=Cause.ERROR, message="m", evidence="e")


class Pair:
    """A child that has its task, and the agent that hears it."""

    def __init__(self) -> None:
        self.ours, theirs = socket.socketpair()
        self.agent, self.child = AgentEnd(self.ours), ChildEnd(theirs)
        self.agent.give(
            Task(spec=SPEC, data_dir=Path("/d"), cache_dir=Path("/c"), checkpoint=None, champion=None)
        )
        self.child.task()

    def until(self, last: object, seconds: float = 10.0) -> list[Message]:
        found: list[Message] = []
        give_up = time.monotonic() + seconds
        while last not in found and not any(isinstance(one, Result) for one in found):
            assert time.monotonic() < give_up, found
            found += self.agent.receive()
        return found


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    # With the channel the thread that listens would end this process: its descriptor stays open.
    made.ours.detach()


def step(stage: str, done: int = 0, total: int = 9) -> Step:
    return Step(stage=stage, done=done, total=total)


def test_of_steps_in_quick_succession_the_first_and_the_last_before_the_outcome_are_told(pair) -> None:
    for done in range(1, 10_001):
        pair.child.step("features", done, 10_000)
    pair.child.step("crossval", 0, 9)
    pair.child.stopped()
    found = pair.until(Stopped())
    assert found[0] == step("features", 1, 10_000)
    assert found[-2:] == [step("crossval"), Stopped()]
    assert len(found) < 200


def test_a_stage_that_goes_on_is_shown_in_a_moment_though_nothing_more_is_said(pair) -> None:
    pair.child.step("read", 0, 9)
    pair.child.step("features", 0, 9)
    assert pair.until(step("features"), seconds=20 * STEP_SECONDS) == [step("read"), step("features")]


def test_what_was_looked_up_comes_with_what_is_told_next_and_alone_if_nothing_is(pair) -> None:
    hit, miss = Lookup(cache="candles", outcome="hit"), Lookup(cache="features", outcome="miss")
    pair.child.looked_up("candles", True)
    assert pair.until(hit) == [hit]
    pair.child.looked_up("features", False)
    pair.child.failure(FAILURE)
    assert pair.until(FAILURE) == [miss, FAILURE]


def test_each_checkpoint_is_handed_over_at_once_with_what_was_not_told_before(pair) -> None:
    pair.child.step("folds", 0, 9)
    for folds in range(1, 6):
        pair.child.step("folds", folds, 9)
        pair.child.checkpoint(checkpoint(folds))
        assert pair.until(checkpoint(folds))[-2:] == [step("folds", folds), checkpoint(folds)]


def test_what_waits_of_one_task_is_never_taken_for_the_next(pair) -> None:
    report, content = training_report(SPEC)
    pair.child.step("report", 9, 9)
    pair.child.step("certificate", 9, 9)
    pair.child.result(report, content)
    pair.agent.give(
        Task(spec=SPEC, data_dir=Path("/d"), cache_dir=Path("/c"), checkpoint=None, champion=None)
    )
    assert pair.child.next_task() is not None
    pair.child.step("read", 0, 9)
    pair.child.stopped()
    found: list[Message] = []
    while Stopped() not in found:
        found += pair.agent.receive()
    [rest] = [place for place, one in enumerate(found) if isinstance(one, Rest)]
    assert found[rest:] == [Rest(), step("read"), Stopped()]
    assert [one.stage for one in itertools.takewhile(lambda one: isinstance(one, Step), found)] == [
        "report",
        "certificate",
    ]
