"""What of this machine may be used, and what fits it."""

from __future__ import annotations

from pathlib import Path

from cli.local.fit import Choice, Machine, fitting, free_cores
from cli.local.nights_measured import highest_peak, measured_nights
from common import host
from common.out_folder import OutFolder
from common.settings.night import NightSettings


def this_machine() -> Machine:
    """Return the cores and the memory that may be used now, by cgroup where there is one."""
    group = host.control_group()
    return Machine(host.usable_cores(group), host.available_memory_bytes(group))


def fitting_here(settings: NightSettings, out: Path) -> tuple[Choice, ...]:
    """Return what fits this machine, by the memory that earlier nights below `out` took."""
    return fitting(settings, this_machine(), highest_peak(measured_nights(OutFolder(out))))


def trainer_count(settings: NightSettings) -> int:
    """Return how many trainers the settings ask for, or this machine has room for.

    As many as cores where the coordinator decides how many of them work; otherwise a core stays free for it.
    """
    if settings.num_workers != "auto":
        return settings.num_workers
    return host.usable_workers(
        host.usable_cores(),
        host.available_memory_bytes(),
        settings.memory_limit_bytes,
        settings.memory_threshold,
        free_cores=free_cores(settings),
    )
