"""The machine's last hour: processors, memory and disk, kept in this process and measured by a duty."""

from __future__ import annotations

import shutil
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from common.host import processor_times

KEPT = 240
"""Samples that are kept; with one every 15 s they reach an hour back."""


@dataclass(frozen=True)
class Sample:
    """The shares of processors, memory and disk in use at one moment, 0 to 1."""

    time: datetime
    cpu: float
    memory: float
    disk: float


class Vitals:
    """The last samples, the oldest first.

    Parameters
    ----------
    out : Path
        The out folder, whose disk is measured.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self._samples: deque[Sample] = deque(maxlen=KEPT)
        self._busy, self._idle = processor_times()

    def measure(self, now: datetime) -> None:
        """Take a sample; the processors' share is that since the last one."""
        busy, idle = processor_times()
        busy_since, idle_since = busy - self._busy, idle - self._idle
        self._busy, self._idle = busy, idle
        cpu = busy_since / (busy_since + idle_since) if busy_since + idle_since > 0 else 0.0
        memory = psutil.virtual_memory()
        disk = shutil.disk_usage(self.out)
        self._samples.append(
            Sample(
                time=now,
                cpu=min(1.0, max(0.0, cpu)),
                memory=(memory.total - memory.available) / memory.total,
                disk=(disk.total - disk.free) / disk.total,
            )
        )

    @property
    def samples(self) -> tuple[Sample, ...]:
        """What was measured."""
        return tuple(self._samples)
