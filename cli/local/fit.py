"""How many trainers of what size fit a machine, and why: `config --optimize`. Decisions only."""

from __future__ import annotations

import math
from dataclasses import dataclass

from common.host import usable_workers
from common.settings.night import NightSettings
from common.settings.sections import GIBIBYTE

HEADROOM = 1.5
"""A trainer may take so many times what the hungriest measured job took."""

LEAST_GIB = 0.5
"""Below it not even a small job has room for Python and its libraries."""


@dataclass(frozen=True)
class Machine:
    """What of this machine may be used."""

    cores: float
    memory_bytes: int


@dataclass(frozen=True)
class Choice:
    """One setting, the value that fits, and why."""

    key: str
    value: float | int
    why: str


def free_cores(settings: NightSettings) -> int:
    """Return how many cores `num_workers: auto` leaves free when it starts trainers."""
    return 0 if settings.parallelism.adaptive else 1


AGENT_BYTES = 150 * 1024**2
"""What the agent of a trainer and its fork server take beside the job."""


def too_many(count: int, settings: NightSettings, machine: Machine) -> tuple[bool, str]:
    """Return whether so many trainers cannot even be started, and why they are too many, if they are."""
    bears = usable_workers(
        machine.cores,
        machine.memory_bytes,
        settings.memory_limit_bytes,
        settings.memory_threshold,
        free_cores(settings),
    )
    impossible = count * AGENT_BYTES > machine.memory_bytes
    limit = settings.max_memory_per_process
    if not impossible and (
        count <= machine.cores
        and (count == 1 or count * limit * GIBIBYTE <= machine.memory_bytes * settings.memory_threshold)
    ):
        return False, ""
    has = f"{_cores(machine.cores)} and {machine.memory_bytes / GIBIBYTE:.1f} GiB of free memory"
    words = f"{count} of {limit:g} GiB are more trainers than this machine bears, which has {has}"
    if impossible:
        return True, f"{words}: they would take more than that without any job; it bears {bears}"
    return False, f"{words}: they wait for each other, and it bears {bears}"


def fitting(settings: NightSettings, machine: Machine, peak_bytes: int | None) -> tuple[Choice, Choice]:
    """Return memory of a trainer and number of trainers for a machine.

    Parameters
    ----------
    settings : NightSettings
        What is configured now.
    machine : Machine
        Cores by affinity and cgroup quota; memory that may be taken.
    peak_bytes : int or None
        The most that a job of an earlier night took; None where none was measured.
    """
    room_gib = machine.memory_bytes * settings.memory_threshold / GIBIBYTE
    memory, why = _memory(settings.max_memory_per_process, room_gib, peak_bytes)
    free = free_cores(settings)
    workers = usable_workers(
        machine.cores, machine.memory_bytes, int(memory * GIBIBYTE), settings.memory_threshold, free
    )
    by_memory = int(room_gib / memory)
    share = f"{settings.memory_threshold:.0%} of {machine.memory_bytes / GIBIBYTE:.1f} GiB"
    if by_memory < int(machine.cores) - free:
        of_workers = f"{share} bear {max(by_memory, 1)} of {memory:g} GiB each"
    elif machine.cores < 2:
        of_workers = f"{_cores(machine.cores)}, so one"
    elif not free:
        of_workers = f"{_cores(machine.cores)}, one for each, as auto starts"
    else:
        of_workers = f"{_cores(machine.cores)}, of which one stays free for the coordinator"
    return Choice("max_memory_per_process", memory, why), Choice("num_workers", workers, of_workers)


def _memory(present: float, room_gib: float, peak_bytes: int | None) -> tuple[float, str]:
    if peak_bytes is not None:
        peak = peak_bytes / GIBIBYTE
        wanted = max(LEAST_GIB, math.ceil(peak * HEADROOM * 10) / 10)
        why = f"the hungriest job of earlier nights took {peak:.2f} GiB, and half as much again is left free"
    else:
        wanted, why = present, "no night was measured yet, so it stays as it is"
    most = max(0.1, math.floor(room_gib * 10) / 10)
    if wanted > most:
        return most, f"no more than {room_gib:.1f} GiB may be taken on this machine"
    return wanted, why


def _cores(cores: float) -> str:
    return f"{cores:g} core{'' if cores == 1 else 's'}"
