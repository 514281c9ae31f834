"""One fork server for several agents: real processes, as `nighttrain run` starts them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.errors import InternalError
from tests.trainer.process.test_fork_server import fork, heard, is_gone, parent_of, until
from trainer.process.fork_server import ForkServer, command_of_shared, environment_of_server
from trainer.process.forking import IDLE_SECONDS

TARGETS = "tests.trainer.targets"


class Shared:
    """A shared server: its address, and its process."""

    def __init__(self, preload: str = TARGETS, later: str = "") -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
            listening.bind("")
            listening.listen()
            self.address = f"@{listening.getsockname()[1:].decode()}"
            self.process = subprocess.Popen(
                command_of_shared(listening.fileno(), preload, later),
                env=environment_of_server(os.environ),
                stdin=subprocess.PIPE,
                pass_fds=(listening.fileno(),),
            )

    def agent(self) -> ForkServer:
        return ForkServer(TARGETS, shared=self.address)

    def end_input(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()

    def refuses(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as late:
            return late.connect_ex(f"\0{self.address[1:]}") != 0


@pytest.fixture
def shared() -> Iterator[Shared]:
    running = Shared()
    yield running
    running.process.kill()
    running.process.wait()
    running.end_input()


@pytest.fixture
def agents(shared: Shared) -> Iterator[tuple[ForkServer, ForkServer]]:
    both = shared.agent(), shared.agent()
    for one in both:
        one.start()
    for one in both:
        until(heard(one, lambda one=one: one.is_ready))
    yield both
    for one in both:
        one.close()


def waiting_child(agent: ForkServer, target: str = "wait_for_word") -> tuple[int, socket.socket]:
    channel = fork(agent, f"{TARGETS}:{target}")
    until(heard(agent, lambda: agent.child_pid))
    assert agent.child_pid is not None
    return agent.child_pid, channel


def test_agents_have_children_of_one_server_at_the_same_time_and_each_hears_of_its_own(
    shared, agents
) -> None:
    one, other = agents
    first, first_channel = waiting_child(one)
    second, second_channel = waiting_child(other)
    with first_channel, second_channel:
        assert first != second
        assert parent_of(first) == parent_of(second) == shared.process.pid
        one.kill_child()
        until(heard(one, lambda: one.child_exit))
        other.listen()
        assert other.child_exit is None
        assert not is_gone(second)
        other.kill_child(signal.SIGUSR2)
        until(heard(other, lambda: other.child_exit))
    assert (one.child_exit.code, other.child_exit.code) == (-signal.SIGKILL, -signal.SIGUSR2)


def test_an_agent_that_leaves_takes_its_child_along_and_no_other(shared, agents) -> None:
    one, other = agents
    first, first_channel = waiting_child(one, "wait_stubbornly")
    second, second_channel = waiting_child(other)
    with first_channel, second_channel:
        one.close()
        until(lambda: is_gone(first), 2.0)
        time.sleep(0.1)
        assert not is_gone(second)
        assert shared.process.poll() is None
    one.start()
    until(heard(one, lambda: one.is_ready))
    again, channel = waiting_child(one)
    with channel:
        assert parent_of(again) == shared.process.pid


KILLED = """
import socket, sys, time
from trainer.process.fork_server import ForkServer
agent = ForkServer("tests.trainer.targets", shared=sys.argv[1])
agent.start()
ours, theirs = socket.socketpair()
agent.fork("tests.trainer.targets:wait_stubbornly", theirs, sys.stdout.fileno())
while not agent.child_pid:
    agent.listen()
    time.sleep(0.005)
print(agent.child_pid, flush=True)
time.sleep(30)
"""


def test_an_agent_that_is_killed_takes_its_child_along_even_if_the_child_hears_nothing(shared) -> None:
    command = [sys.executable, "-c", KILLED, shared.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as agent:
        child = int(agent.stdout.readline())
        assert parent_of(child) == shared.process.pid
        agent.kill()
        until(lambda: is_gone(child), 2.0)
    assert shared.process.poll() is None


def test_when_it_is_killed_the_children_die_and_each_agent_starts_a_server_of_its_own(shared, agents) -> None:
    children = []
    for one in agents:
        child, channel = waiting_child(one, "wait_stubbornly")
        channel.close()
        children.append(child)
    shared.process.kill()
    for child in children:
        until(lambda child=child: is_gone(child), 2.0)
    for one in agents:
        until(heard(one, lambda one=one: not one.is_alive))
        one.start()
        assert one.starts == 2
        child, channel = waiting_child(one)
        with channel:
            assert parent_of(parent_of(child)) == os.getpid()


def test_where_nobody_answers_an_agent_starts_its_own() -> None:
    agent = ForkServer(TARGETS, shared="@nighttrain-of-nobody")
    agent.start()
    try:
        until(heard(agent, lambda: agent.is_ready))
    finally:
        agent.close()


def test_after_the_end_of_its_input_it_serves_who_is_there_and_ends_with_the_last(shared, agents) -> None:
    one, other = agents
    shared.end_input()
    until(shared.refuses)
    child, channel = waiting_child(one)
    with channel:
        assert parent_of(child) == shared.process.pid
        one.close()
        until(lambda: is_gone(child), 2.0)
        second, second_channel = waiting_child(other)
        with second_channel:
            assert parent_of(second) == shared.process.pid
    other.close()
    assert shared.process.wait(5) == 0


def test_a_stop_signal_to_the_whole_group_leaves_it_alive(shared, agents) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        shared.process.send_signal(number)
    child, channel = waiting_child(agents[0])
    with channel:
        assert parent_of(child) == shared.process.pid


def test_agents_that_are_there_are_told_that_code_cannot_be_imported() -> None:
    running = Shared(later="tests.trainer.no_such_module")
    try:
        agents = [running.agent() for _ in range(2)]
        for one in agents:
            one.start()
        for one in agents:
            with pytest.raises(InternalError, match="cannot be imported: ModuleNotFoundError"):
                until(heard(one, lambda: False))
            one.close()
        running.process.wait(10)
    finally:
        running.process.kill()
        running.process.wait()
        running.end_input()


def test_what_is_needed_later_is_imported_once_and_only_when_somebody_is_there() -> None:
    running = Shared(later="wave")
    try:
        agents = [running.agent() for _ in range(2)]
        for one in agents:
            one.start()
        for one in agents:
            until(heard(one, lambda one=one: one.is_ready))

        def finds_it(one: ForkServer) -> Callable[[], bool]:
            def asked() -> bool:
                time.sleep(2 * IDLE_SECONDS)
                with fork(one, f"{TARGETS}:tell_rare_modules") as channel:
                    until(heard(one, lambda: one.child_exit))
                    return channel.recv(100).decode() == "wave"

            return asked

        for one in agents:
            until(finds_it(one))
            one.close()
    finally:
        running.process.kill()
        running.process.wait()
        running.end_input()


def test_children_find_nothing_on_standard_input(shared, agents) -> None:
    child, channel = waiting_child(agents[0])
    with channel:
        assert Path(f"/proc/{child}/fd/0").readlink() == Path(os.devnull)
        assert not shared.refuses()


AS_ANOTHER = """
import os, socket, sys
os.setgroups([]), os.setgid(65534), os.setuid(65534)
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control:
    control.settimeout(10)
    control.connect(chr(0) + sys.argv[1][1:])
    print(len(control.recv(1000)))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="needs to be root, to become another user")
def test_another_user_is_not_served(shared, agents) -> None:
    done = subprocess.run(
        ["/usr/bin/env", "python3", "-c", AS_ANOTHER, shared.address], capture_output=True, text=True
    )
    assert done.stdout == "0\n", done.stderr
    child, channel = waiting_child(agents[0])
    with channel:
        assert parent_of(child) == shared.process.pid


def test_a_server_of_another_user_is_not_joined(shared, monkeypatch) -> None:
    """What a user id is compared with is changed here, since no other user can be had everywhere."""
    mine = os.getuid()
    monkeypatch.setattr("os.getuid", lambda: mine + 1)
    agent = shared.agent()
    agent.start()
    try:
        child, channel = waiting_child(agent)
        with channel:
            assert parent_of(parent_of(child)) == os.getpid()
    finally:
        agent.close()
