from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from cli.local.interrupt import EXIT_INTERRUPTED, interruptible
from tests.cli.conftest import ROOT

TWICE = """
import os, signal
from cli.local.interrupt import interruptible
with interruptible():
    os.kill(os.getpid(), signal.SIGINT)
    print("one is recorded", flush=True)
    os.kill(os.getpid(), signal.SIGINT)
    print("never", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_recorded_and_obeyed_where_the_work_checks(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with interruptible() as interrupt:
        interrupt.check()
        os.kill(os.getpid(), number)
        assert interrupt.signals == [number]
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()
    assert signal.getsignal(number) is before


def test_the_second_signal_ends_the_process_at_once() -> None:
    done = subprocess.run([sys.executable, "-c", TWICE], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (EXIT_INTERRUPTED, "one is recorded\n")


SAID = """
import os, signal, sys
from cli.local.interrupt import interruptible
with interruptible() as interrupt:
    interrupt.saying = "the file is finished"
    os.kill(os.getpid(), signal.SIGINT)
    try:
        interrupt.check()
    except KeyboardInterrupt:
        sys.exit(5)
"""


def test_the_first_signal_says_what_is_being_saved_and_what_the_second_does() -> None:
    done = subprocess.run([sys.executable, "-c", SAID], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 5
    assert done.stderr == ("\nstopping: the file is finished (Ctrl-C again ends at once; nothing is lost)\n")
