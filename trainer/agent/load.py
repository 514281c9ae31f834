"""What holds up the host and the job, from one report of the agent to the next."""

from __future__ import annotations

import os
import threading
import time

import psutil

from common.host import (
    ControlGroup,
    host_pressure,
    pressure_ratio,
    processor_times,
    scheduled_seconds,
    usable_cores,
)
from common.protocol.trainers import HostLoad, HostPressure

SHORTEST_SECONDS = 0.5
"""Processor times are counted in hundredths of a second: over less than this a share means nothing."""

LOOK_SECONDS = 0.2
"""How often the child's times are read; what it does in the moment before its end may be missed."""


class LoadMeter:
    """Measures; the main thread watches the child, and the lease's thread asks too.

    Parameters
    ----------
    group : ControlGroup
        That of this process.
    """

    def __init__(self, group: ControlGroup) -> None:
        self._group = group
        self._lock = threading.Lock()
        self._pid: int | None = None
        self._looked_at = 0.0
        self._seen = (0.0, 0.0)
        self._ran = self._waited = 0.0
        self._worked = False
        self._reported_at = time.monotonic()
        self._times = processor_times()
        self._periods = group.quota_periods()
        self._last: HostPressure | None = None

    def watch(self, pid: int | None) -> None:
        """Read how long the child ran and waited since it was last looked at."""
        now = time.monotonic()
        if pid is None or (pid == self._pid and now - self._looked_at < LOOK_SECONDS):
            return
        times = scheduled_seconds(pid)
        self._looked_at = now
        if times is None:
            return
        with self._lock:
            # A forked process begins with times of its own.
            before = self._seen if pid == self._pid else (0.0, 0.0)
            self._ran += max(0.0, times[0] - before[0])
            self._waited += max(0.0, times[1] - before[1])
            self._pid, self._seen, self._worked = pid, times, True

    def pressure(self) -> HostPressure:
        """Return the state of the host, and of the job since the last report."""
        with self._lock:
            now = time.monotonic()
            seconds = now - self._reported_at
            memory = host_pressure()
            if self._last is not None and seconds < SHORTEST_SECONDS:
                kept = {"cpu_ratio": self._last.cpu_ratio, "load": self._last.load}
                return memory.model_copy(update=kept)
            busy, idle = processor_times()
            busy_since, idle_since = busy - self._times[0], idle - self._times[1]
            share = busy_since / (busy_since + idle_since) if busy_since + idle_since > 0 else 0.0
            self._last = memory.model_copy(
                update={"cpu_ratio": min(1.0, max(0.0, share)), "load": self._load(seconds)}
            )
            self._times, self._reported_at = (busy, idle), now
            self._ran = self._waited = 0.0
            self._worked = False
            return self._last

    def _load(self, seconds: float) -> HostLoad:
        periods, throttled = self._group.quota_periods()
        since = periods - self._periods[0], throttled - self._periods[1]
        self._periods = periods, throttled
        return HostLoad(
            cpus=psutil.cpu_count() or 1,
            cores=usable_cores(self._group),
            cpu_pressure=pressure_ratio("cpu", self._group),
            memory_pressure=pressure_ratio("memory", self._group),
            load_average=os.getloadavg()[0],
            throttled_ratio=max(0.0, since[1] / since[0]) if since[0] > 0 else 0.0,
            run_ratio=min(1.0, self._ran / seconds) if self._worked else None,
            wait_ratio=min(1.0, self._waited / seconds) if self._worked else None,
        )
