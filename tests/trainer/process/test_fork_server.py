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
from trainer.process.fork_server import TRAINING, WORKER, ForkServer
from trainer.process.forking import IDLE_SECONDS


def until(fact: Callable[[], object], seconds: float = 20.0) -> None:
    give_up = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < give_up, "it did not come true in time"
        time.sleep(0.005)


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        # The latter is said of one that is buried between the opening and the reading.
        return True


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.fixture
def server() -> Iterator[ForkServer]:
    running = ForkServer("tests.trainer.targets")
    running.start()
    yield running
    running.close()


def heard(server: ForkServer, fact: Callable[[], object]) -> Callable[[], object]:
    def listen() -> object:
        server.listen()
        return fact()

    return listen


def fork(server: ForkServer, target: str, needs: str = "") -> socket.socket:
    ours, theirs = socket.socketpair()
    with theirs, Path("/dev/null").open("wb") as silence:
        server.fork(target, theirs, silence.fileno(), needs)
    return ours


def rare_modules_of_a_child(server: ForkServer, needs: str = "") -> str:
    with fork(server, "tests.trainer.targets:tell_rare_modules", needs) as channel:
        until(heard(server, lambda: server.child_exit))
        return channel.recv(100).decode()


def test_it_is_ready_once_it_has_imported(server) -> None:
    assert not server.is_ready
    until(heard(server, lambda: server.is_ready))
    assert server.is_alive
    assert server.fileno() >= 0


def test_memory_is_kept_unless_the_surroundings_say_otherwise(monkeypatch) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "131072")
    running = ForkServer("tests.trainer.targets")
    running.start()
    try:
        with fork(running, "tests.trainer.targets:tell_malloc") as channel:
            until(heard(running, lambda: running.child_exit))
            said = channel.recv(1000).decode().split()
    finally:
        running.close()
    assert "MALLOC_TRIM_THRESHOLD_=131072" in said
    assert "MALLOC_MMAP_MAX_=0" in said


def test_a_child_is_its_child_and_its_exit_is_told(server) -> None:
    with fork(server, "tests.trainer.targets:wait_for_word"):
        until(heard(server, lambda: server.child_pid))
        parent = parent_of(server.child_pid)
        assert parent_of(parent) == os.getpid()
        server.kill_child(signal.SIGKILL)
        until(heard(server, lambda: server.child_exit))
    assert server.child_exit.code == -signal.SIGKILL
    assert server.child_exit.peak_resident_bytes > 1 << 20
    server.kill_child()


def test_forks_are_fast_once_it_is_warm(server) -> None:
    until(heard(server, lambda: server.is_ready))
    times = []
    for _ in range(20):
        began = time.monotonic()
        with fork(server, "tests.trainer.targets:wait_for_word"):
            until(heard(server, lambda: server.child_pid))
            times.append(time.monotonic() - began)
        until(heard(server, lambda: server.child_exit))
    assert sorted(times)[10] < 0.1


def test_code_that_cannot_be_imported_is_one_clear_line() -> None:
    server = ForkServer("tests.trainer.no_such_module")
    server.start()
    try:
        with pytest.raises(InternalError, match=r"cannot be imported: ModuleNotFoundError: No module named"):
            until(heard(server, lambda: server.is_ready))
    finally:
        server.close()


def test_a_server_that_nobody_asks_imports_what_is_needed_later() -> None:
    server = ForkServer("tests.trainer.targets", "wave")
    server.start()
    try:
        until(heard(server, lambda: server.is_ready))

        def is_there_after_a_rest() -> bool:
            time.sleep(2 * IDLE_SECONDS)
            return rare_modules_of_a_child(server) == "wave"

        until(is_there_after_a_rest)
    finally:
        server.close()


def test_what_a_child_needs_is_imported_before_it_is_forked() -> None:
    server = ForkServer("tests.trainer.targets")
    server.start()
    try:
        assert rare_modules_of_a_child(server) == ""
        assert rare_modules_of_a_child(server, needs="wave") == "wave"
        assert rare_modules_of_a_child(server) == "wave"
    finally:
        server.close()


def test_code_that_is_needed_later_and_cannot_be_imported_is_told_too() -> None:
    server = ForkServer("tests.trainer.targets", "tests.trainer.no_such_module")
    server.start()
    try:
        with pytest.raises(InternalError, match="cannot be imported"):
            until(heard(server, lambda: False))
    finally:
        server.close()


def test_what_a_child_had_to_import_the_next_ones_find(server) -> None:
    with fork(server, "tests.trainer.targets:import_a_rare_module"):
        until(heard(server, lambda: server.child_exit))
    until(lambda: rare_modules_of_a_child(server) == "colorsys")


def test_closed_it_is_gone_and_can_be_started_again(server) -> None:
    with fork(server, "tests.trainer.targets:wait_for_word"):
        until(heard(server, lambda: server.child_pid))
        child, parent = server.child_pid, parent_of(server.child_pid)
        server.close()
        until(lambda: is_gone(child) and is_gone(parent), 2.0)
    assert (server.is_alive, server.is_ready, server.fileno()) == (False, False, -1)
    server.start()
    until(heard(server, lambda: server.is_ready))


STARTER = """
import socket, sys, time
from trainer.process.fork_server import ForkServer
server = ForkServer("tests.trainer.targets")
server.start()
ours, theirs = socket.socketpair()
server.fork("tests.trainer.targets:wait_stubbornly", theirs, sys.stdout.fileno())
while not server.child_pid:
    server.listen()
    time.sleep(0.005)
print(server.child_pid, flush=True)
time.sleep(30)
"""


def test_the_death_of_the_starter_takes_server_and_child_at_once_even_if_the_child_hears_nothing() -> None:
    """The child holds a copy of its own channel open, so that only the kernel can tell it."""
    with subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE, text=True) as starter:
        child = int(starter.stdout.readline())
        server = parent_of(child)
        starter.kill()
        until(lambda: is_gone(child) and is_gone(server), 2.0)


IMPORTING = """
import time
from trainer.process.fork_server import ForkServer
server = ForkServer("tests.trainer.slow_import")
server.start()
print(server._process.pid, flush=True)
time.sleep(30)
"""


def test_the_death_of_the_starter_takes_a_server_that_still_imports() -> None:
    with subprocess.Popen([sys.executable, "-c", IMPORTING], stdout=subprocess.PIPE, text=True) as starter:
        server = int(starter.stdout.readline())
        until(lambda: ignores(server, signal.SIGTERM))
        time.sleep(0.1)
        starter.kill()
        until(lambda: is_gone(server), 2.0)


def ignores(pid: int, number: signal.Signals) -> bool:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (mask,) = (int(line.split()[1], 16) for line in lines if line.startswith("SigIgn:"))
    return bool(mask >> (number - 1) & 1)


ORPHANS = """
import ctypes, os, subprocess, sys, time
from trainer.process.fork_server import ForkServer
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: orphans come to us, as they do to process 1
server = ForkServer("tests.trainer.targets")
server.start()
leave = "import os; os.fork() or os.execvp('sleep', ['sleep', '0.1'])"
subprocess.run([sys.executable, "-c", leave], check=True)
def zombies():
    found = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "stat="], capture_output=True, text=True)
    return found.stdout.count("Z")
give_up = time.monotonic() + 10
while not zombies() and time.monotonic() < give_up: time.sleep(0.02)
before = zombies()
server.reap()
print(before, zombies(), server.is_alive)
found = subprocess.run(["pgrep", "-P", str(os.getpid()), "-f", "process.forking"], capture_output=True)
os.kill(int(found.stdout), 9)
while not zombies() and time.monotonic() < give_up: time.sleep(0.02)
server.reap()
print(zombies(), server.is_alive)
"""


def test_orphans_are_reaped_and_the_servers_death_is_noticed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ORPHANS], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.split() == ["1", "0", "True", "0", "False"], done.stderr


def test_what_a_child_that_trains_checks_messages_with_is_built_before_the_fork() -> None:
    code = f"""
import {WORKER}, {TRAINING}
from common.frozen import Frozen
models = [Frozen]
for model in models:
    models += model.__subclasses__()
print(len(models) > 20, [model.__name__ for model in models if not model.__pydantic_complete__])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True []\n"
