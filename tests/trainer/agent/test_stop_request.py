import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from trainer.agent.stop_request import StopRequest


def test_a_request_is_seen_at_once_by_who_waits_and_never_taken_back() -> None:
    stop = StopRequest()
    assert not stop.is_made
    assert stop.age_seconds == 0.0
    threading.Timer(0.1, stop.make).start()
    began = time.monotonic()
    assert stop.wait(10.0)
    assert time.monotonic() - began < 5.0
    assert stop.is_made
    assert stop.wait(10.0)
    stop.make()
    assert stop.is_made
    assert 0.0 < stop.age_seconds < 5.0


def test_without_a_request_a_wait_takes_its_time() -> None:
    began = time.monotonic()
    assert not StopRequest().wait(0.05)
    assert time.monotonic() - began >= 0.05
    assert not StopRequest().wait(-1.0)


CODE = """
import os, sys
from trainer.agent.stop_request import StopRequest
stop = StopRequest()
stop.on_signals(lambda number: os._exit(100 + number))
if "input" in sys.argv:
    stop.on_end_of_input()
print("ready", flush=True)
assert stop.wait(20.0)
print("asked", flush=True)
stop_again = StopRequest()
stop_again.wait(20.0 if "stay" in sys.argv else 0.0)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_is_a_request_and_the_second_is_immediate(number) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", CODE, "stay"], stdout=pipe, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == "asked\n"
        process.send_signal(number)
        assert process.wait(5.0) == 100 + number


def test_the_end_of_standard_input_is_a_request() -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", CODE, "input"], stdin=pipe, stdout=pipe, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("words are no end\n")
        process.stdin.flush()
        time.sleep(0.1)
        assert process.poll() is None
        process.stdin.close()
        assert process.stdout.readline() == "asked\n"
        assert process.wait(5.0) == 0


def test_many_signals_in_the_middle_of_waits_dead_lock_nothing() -> None:
    stop = StopRequest()
    before = signal.getsignal(signal.SIGUSR2)
    signal.signal(signal.SIGUSR2, lambda *_: stop.make())
    try:
        for _ in range(200):
            os.kill(os.getpid(), signal.SIGUSR2)
            stop.wait(0.001)
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert stop.is_made
