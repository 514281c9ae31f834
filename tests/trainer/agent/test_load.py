"""What the agent says of its host and of its child, measured on real processes."""

from __future__ import annotations

import subprocess
import sys
import time

from common.host import control_group, scheduled_seconds
from trainer.agent.load import LoadMeter

BUSY = "while True: pass"


def test_a_child_that_computes_ran_or_waited_nearly_all_the_time() -> None:
    meter = LoadMeter(control_group())
    with subprocess.Popen([sys.executable, "-S", "-c", BUSY]) as child:
        try:
            until = time.monotonic() + 2.0
            meter.pressure()
            while time.monotonic() < until:
                meter.watch(child.pid)
                time.sleep(0.05)
            load = meter.pressure().load
        finally:
            child.kill()
    assert scheduled_seconds(child.pid) is None
    assert load is not None and load.run_ratio is not None and load.wait_ratio is not None
    assert load.run_ratio > 0.05
    assert load.run_ratio + load.wait_ratio > 0.7
    assert 0 < load.cores <= load.cpus


def test_without_a_child_nothing_is_said_of_one_and_memory_is_measured_anew() -> None:
    meter = LoadMeter(control_group())
    first, second = meter.pressure(), meter.pressure()
    assert first.load is not None and first.load.run_ratio is None and first.load.wait_ratio is None
    assert second.memory_available_bytes > 0 and second.load is not None
