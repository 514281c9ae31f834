import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from common.protocol.jobs import Cause, SurveySpec
from common.protocol.reports import Checkpoint
from common.settings.sections import SurveyPolicy
from tests.trainer.targets import SCORES, checkpoint, fold, survey_report
from trainer.process.channel import (
    AgentEnd,
    AttemptFailure,
    Message,
    Rest,
    Result,
    Step,
    Stopped,
    Task,
)
from trainer.process.child_end import ChildEnd

POLICY = SurveyPolicy(max_missing_share=0.2, max_defect_share=0.01, max_bar_missing_share=0.0)
SPEC = SurveySpec(symbol="BTCUSDT", timeframes=("1h",), policy=POLICY)
TASK = Task(spec=SPEC, data_dir=Path("/d"), cache_dir=Path("/c"), checkpoint=checkpoint(2), champion=None)


class Ends:
    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.agent, self.child = AgentEnd(ours), ChildEnd(theirs)
        self.theirs = theirs

    def messages(self, count: int) -> list[Message]:
        found: list[Message] = []
        give_up = time.monotonic() + 10.0
        while len(found) < count and time.monotonic() < give_up:
            found += self.agent.receive()
        return found


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.agent.close()
    made.theirs.close()


def test_the_task_arrives_as_it_was_given(ends) -> None:
    ends.agent.give(TASK)
    kind, payload = ends.child._frame()
    assert (kind, Task.model_validate_json(payload)) == (b"T", TASK)


def test_all_that_a_child_says_arrives_in_order(ends) -> None:
    report = survey_report(SPEC)
    failure = AttemptFailure(cause=Cause.ERROR, message="m", evidence="e\n")
    ends.child.step("survey", 1, 3)
    ends.child.checkpoint(checkpoint(2))
    ends.child.result(report, b"\x80\x00pickle")
    ends.child.failure(failure)
    ends.child.stopped()
    assert ends.messages(5) == [
        Step(stage="survey", done=1, total=3),
        checkpoint(2),
        Result(report, b"\x80\x00pickle"),
        failure,
        Stopped(),
    ]


def test_numbers_arrive_to_the_last_digit(ends) -> None:
    exact = fold(0).model_copy(update={"coefficients": ((1 / 3, 5e-324, 0.1 + 0.2),), "C": 1e-4})
    ends.child.checkpoint(Checkpoint(inputs="0f", folds=(exact,)))
    (arrived,) = ends.messages(1)
    assert isinstance(arrived, Checkpoint)
    assert arrived.folds[0] == exact


def test_a_message_larger_than_the_sockets_buffer_arrives(ends) -> None:
    artifact = os.urandom(8 << 20)
    sender = threading.Thread(target=ends.child.result, args=(survey_report(SPEC), artifact))
    sender.start()
    (arrived,) = ends.messages(1)
    sender.join(5.0)
    assert isinstance(arrived, Result)
    assert arrived.artifact == artifact


def test_a_task_larger_than_the_sockets_buffer_blocks_nobody(ends) -> None:
    many = checkpoint(0).model_copy(update={"folds": (fold(0),) * 3_000})
    large = TASK.model_copy(update={"checkpoint": many})
    ends.agent.give(large)
    got = []
    reader = threading.Thread(target=lambda: got.append(ends.child._frame()))
    reader.start()
    give_up = time.monotonic() + 10.0
    while reader.is_alive() and time.monotonic() < give_up:
        ends.agent.receive()
    assert Task.model_validate_json(got[0][1]) == large


@given(st.lists(st.integers(1, 200), max_size=30))
def test_frames_are_put_together_however_they_are_cut(cuts) -> None:
    ours, theirs = socket.socketpair()
    other_ours, other_theirs = socket.socketpair()
    with ours, theirs, other_ours, other_theirs:
        child = ChildEnd(theirs)
        child.failure(AttemptFailure(cause=Cause.DATA, message="a", evidence="b" * 300))
        child.stopped()
        stream = ours.recv(65536)
        agent, found = AgentEnd(other_ours), []
        for cut in [*cuts, len(stream)]:
            other_theirs.sendall(stream[:cut])
            stream = stream[cut:]
            found += agent.receive()
        assert [type(message) for message in found] == [AttemptFailure, Stopped]


def test_the_end_of_the_stream_is_seen_after_the_last_message(ends) -> None:
    ends.child.stopped()
    ends.theirs.close()
    assert ends.agent.receive() == [Stopped()]
    assert ends.agent.ended
    ends.agent.ask_to_stop()
    assert ends.agent.receive() == []


def test_a_number_that_is_none_is_refused_where_it_arrives(ends) -> None:
    wrong = fold(0).model_copy(update={"scores": SCORES.model_copy(update={"brier": float("inf")})})
    ends.child.checkpoint(Checkpoint(inputs="", folds=(wrong,)))
    give_up = time.monotonic() + 5.0
    with pytest.raises(ValidationError, match="brier"):
        while time.monotonic() < give_up:
            ends.agent.receive()


CHILD = """
import os, socket, sys, time
from trainer.process.child_end import ChildEnd
end = ChildEnd(socket.socket(fileno=int(sys.argv[1])))
what = sys.argv[2]
if what == "waits for the task":
    end.task()
    os._exit(77)
end.task()
end.stopped()
if what == "goes on when asked to stop":
    while not end.stop_asked:
        sum(range(1000))
    task = end.next_task()
    end.step(f"asked: {end.stop_asked}, checkpoint: {task.checkpoint}", 1, 1)
    os._exit(43 if end.next_task() is None else 1)
if what == "speaks":
    while True:
        end.stopped()
while not (what == "obeys" and end.stop_asked):
    sum(range(1000))
os._exit(42)
"""


@contextmanager
def child_that(does: str) -> Iterator[tuple[AgentEnd, subprocess.Popen[bytes]]]:
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-c", CHILD, str(theirs.fileno()), does]
        process = subprocess.Popen(command, pass_fds=(theirs.fileno(),))
    agent = AgentEnd(ours)
    if does != "waits for the task":
        agent.give(TASK)
        give_up = time.monotonic() + 20.0
        while not agent.receive() and time.monotonic() < give_up:
            time.sleep(0.01)
    yield agent, process
    process.kill()
    process.wait()
    agent.close()


def test_the_wish_to_stop_arrives_while_the_child_computes() -> None:
    with child_that("obeys") as (agent, process):
        assert process.poll() is None
        agent.ask_to_stop()
        assert process.wait(5.0) == 42


@pytest.mark.parametrize("place", ["waits for the task", "computes", "speaks"])
def test_a_child_without_an_agent_ends(place) -> None:
    with child_that(place) as (agent, process):
        agent.close()
        assert process.wait(5.0) == 1


def test_a_child_that_rests_gets_the_next_task_and_no_request_that_was_meant_for_the_last() -> None:
    with child_that("goes on when asked to stop") as (agent, process):
        agent.ask_to_stop()
        said = []
        while not said:
            said = agent.receive()
        assert said == [Rest()]
        agent.give(TASK.model_copy(update={"checkpoint": None}))
        said = []
        while Rest() not in said:
            said += agent.receive()
        assert said == [Step(stage="asked: False, checkpoint: None", done=1, total=1), Rest()]
        agent.send_away()
        assert process.wait(5.0) == 43
