"""What this process may use of its machine: cores and memory by cgroup v1 and v2, and how busy the host is.

Inside a container the host's figures mislead: the limits are files of the process' control group. The limits
of all its ancestors bind it too, so each is the least on the way up. Files and their meaning: the kernel's
Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from common.protocol.trainers import HostPressure

UNLIMITED_V1 = 1 << 62
"""cgroup v1 writes no limit as the largest page-aligned number; real limits are far below."""

READ_BYTES = 1 << 16
"""So much of a file of the kernel is read at a time."""

RECLAIM_V1 = ("total_active_file", "total_inactive_file", "total_dirty", "total_writeback")
RECLAIM_V2 = ("active_file", "inactive_file", "file_dirty", "file_writeback")
"""Fields of memory.stat: pages of files, lately used or not, and those of them that are not written yet."""


@dataclass(frozen=True)
class ControlGroup:
    """The control groups of one process.

    `memory`, `cpu` and `accounting` are folders from the process' own group up to the mount point, the own
    one first; empty where there is no such controller. `memory_v2` and `cpu_v2` tell which files they have;
    `accounting` is where v1 counts CPU time, and empty on v2, where `cpu` does.
    """

    memory: tuple[Path, ...] = ()
    memory_v2: bool = False
    cpu: tuple[Path, ...] = ()
    cpu_v2: bool = False
    accounting: tuple[Path, ...] = ()

    def memory_limit_bytes(self) -> int | None:
        """Return the least memory limit on the way up, or None where there is none."""
        name = "memory.max" if self.memory_v2 else "memory.limit_in_bytes"
        limits = [limit for folder in self.memory if (limit := _number(folder / name)) is not None]
        least = min(limits, default=UNLIMITED_V1)
        return None if least >= UNLIMITED_V1 else least

    def memory_usage_bytes(self) -> int | None:
        """Return what the own group uses now, page cache included."""
        return self._own("memory.current", "memory.usage_in_bytes")

    def memory_peak_bytes(self) -> int | None:
        """Return the most that the own group ever used, page cache included (v2: Linux 5.19 and later)."""
        return self._own("memory.peak", "memory.max_usage_in_bytes")

    def oom_kills(self) -> int | None:
        """Return how many processes of the own group the kernel killed as out of memory; None if unknown."""
        if not self.memory:
            return None
        name = "memory.events" if self.memory_v2 else "memory.oom_control"
        return _fields(self.memory[0] / name).get("oom_kill")

    def reclaimable_bytes(self) -> int:
        """Return the own group's page cache that the kernel can drop at need.

        These are the pages of files, mapped and lately used ones too, as in the kernel's own MemAvailable.
        What a tmpfs or shared memory holds is page cache by name only: the kernel keeps it among anonymous
        pages and has nowhere to drop it to. Pages that wait to be written cannot be dropped before that.
        """
        if not self.memory:
            return 0
        stat = _fields(self.memory[0] / "memory.stat")
        active, inactive, *unwritten = RECLAIM_V2 if self.memory_v2 else RECLAIM_V1
        droppable = stat.get(active, 0) + stat.get(inactive, 0)
        return max(0, droppable - sum(stat.get(name, 0) for name in unwritten))

    def cpu_quota(self) -> float | None:
        """Return the least quota on the way up, in cores, or None where there is none."""
        quotas = [quota for folder in self.cpu if (quota := self._quota(folder)) is not None]
        return min(quotas, default=None)

    def cpu_seconds(self) -> float | None:
        """Return the CPU time that the own group has used, in all its processes; None if unknown."""
        if self.cpu_v2:
            used = _fields(self.cpu[0] / "cpu.stat").get("usage_usec")
            return None if used is None else used / 1e6
        used = _number(self.accounting[0] / "cpuacct.usage") if self.accounting else None
        return None if used is None else used / 1e9

    def cpu_throttled_seconds(self) -> float:
        """Return for how long the own group was held back by its quota; 0 where it has none."""
        if not self.cpu:
            return 0.0
        stat = _fields(self.cpu[0] / "cpu.stat")
        return stat.get("throttled_usec", 0) / 1e6 if self.cpu_v2 else stat.get("throttled_time", 0) / 1e9

    def quota_periods(self) -> tuple[int, int]:
        """Return the periods of the own group's quota so far, and in how many of them it was held back."""
        stat = _fields(self.cpu[0] / "cpu.stat") if self.cpu else {}
        return stat.get("nr_periods", 0), stat.get("nr_throttled", 0)

    def _own(self, v2: str, v1: str) -> int | None:
        return _number(self.memory[0] / (v2 if self.memory_v2 else v1)) if self.memory else None

    def _quota(self, folder: Path) -> float | None:
        if self.cpu_v2:
            words = _text(folder / "cpu.max").split()
            return int(words[0]) / int(words[1]) if len(words) == 2 and words[0] != "max" else None
        quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
        return quota / period if quota and quota > 0 and period else None


def control_group(proc: Path = Path("/proc/self"), root: Path = Path("/")) -> ControlGroup:
    """Find the control groups of a process.

    Parameters
    ----------
    proc : Path
        The process' folder below /proc, with ``cgroup`` and ``mountinfo``.
    root : Path
        What mount points are relative to.

    Returns
    -------
    ControlGroup
        Without controllers where there are no control groups at all.
    """
    paths: dict[str, str] = {}
    for line in _text(proc / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        paths.update(dict.fromkeys(controllers.split(","), path))
    memory, cpu, cpuacct = (_folders(name, paths, proc, root) for name in ("memory", "cpu", "cpuacct"))
    return ControlGroup(*memory, *cpu, accounting=() if cpuacct[1] else cpuacct[0])


def _folders(controller: str, paths: dict[str, str], proc: Path, root: Path) -> tuple[tuple[Path, ...], bool]:
    """Prefer a v1 hierarchy: on hybrid systems the v2 one is mounted as well, but holds no controller."""
    for version, name in ((1, controller), (2, "")):
        for mount_root, mount_point in _mounts(proc, version, controller):
            if name not in paths:
                continue
            # Without a cgroup namespace a container sees the host's path, but its own folder is mounted.
            inside = os.path.relpath(paths[name], mount_root)
            inside = "." if inside.startswith("..") else inside
            top = root / mount_point.lstrip("/")
            own = top / inside
            own = own if own.is_dir() else top
            return tuple(_upwards(own, top)), version == 2
    return (), False


def _mounts(proc: Path, version: int, controller: str) -> Iterator[tuple[str, str]]:
    for line in _text(proc / "mountinfo").splitlines():
        mount, _, system = line.partition(" - ")
        kind, _, options = system.split(" ", 2)
        fields = mount.split()
        if (version == 2 and kind == "cgroup2") or (
            version == 1 and kind == "cgroup" and controller in options.split(" ")[-1].split(",")
        ):
            yield fields[3], fields[4]


def _upwards(own: Path, top: Path) -> Iterator[Path]:
    yield own
    while own != top:
        own = own.parent
        yield own


def _text(path: Path | str) -> str:
    # Not by a file object, which takes three times as long: an agent reads two of these 50 times a second.
    try:
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    parts = []
    try:
        while part := os.read(number, READ_BYTES):
            parts.append(part)
    except OSError:
        return ""
    finally:
        os.close(number)
    return b"".join(parts).decode("ascii", "replace")


def _number(path: Path) -> int | None:
    try:
        return int(_text(path))
    except ValueError:
        return None


def _fields(path: Path) -> dict[str, int]:
    rows = (line.split() for line in _text(path).splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}


def usable_cores(group: ControlGroup | None = None) -> float:
    """Return the cores that may be used: by CPU affinity (which holds the cpuset) and the cgroup's quota."""
    quota = (group or control_group()).cpu_quota()
    allowed = float(len(os.sched_getaffinity(0)))
    return allowed if quota is None else min(allowed, quota)


def available_memory_bytes(group: ControlGroup | None = None) -> int:
    """Return the memory that may still be taken: the host's, cut by what the cgroup's limit leaves."""
    group = group or control_group()
    available = int(psutil.virtual_memory().available)
    limit, usage = group.memory_limit_bytes(), group.memory_usage_bytes()
    if limit is None or usage is None:
        return available
    return max(0, min(available, limit - usage + group.reclaimable_bytes()))


def usable_workers(
    cores: float, available_bytes: int, memory_limit_bytes: int, threshold: float, free_cores: int = 1
) -> int:
    """Return how many trainers a machine bears: some cores stay free, all fit in memory, at least one runs.

    Parameters
    ----------
    cores : float
        Cores that may be used; a quota may be a fraction.
    available_bytes : int
        Memory that is not in use.
    memory_limit_bytes : int
        What one trainer may take.
    threshold : float
        The share of memory up to which jobs are handed out, from 0 to 1.
    free_cores : int
        Cores that stay free for all else.
    """
    by_memory = int(available_bytes * threshold) // memory_limit_bytes
    return max(1, min(int(cores) - free_cores, by_memory))


def host_pressure() -> HostPressure:
    """Return the host's memory and the share of its CPU time in use since the last call (0 at the first)."""
    memory = psutil.virtual_memory()
    return HostPressure(
        memory_total_bytes=int(memory.total),
        memory_available_bytes=int(memory.available),
        cpu_ratio=min(1.0, psutil.cpu_percent(interval=None) / 100),
    )


def pressure_ratio(resource: str, group: ControlGroup, proc: Path = Path("/proc")) -> float | None:
    """Return the share of the last 10 s in which some program waited for a resource.

    The kernel's pressure stall information (Documentation/accounting/psi.rst): of the host, else of the
    topmost control group that is seen.

    Parameters
    ----------
    resource : str
        ``cpu`` or ``memory``.
    group : ControlGroup
        That of this process.
    proc : Path
        Where the kernel shows its state.

    Returns
    -------
    float or None
        From 0 to 1; None where the kernel does not count it.
    """
    folders = {"cpu": group.cpu if group.cpu_v2 else (), "memory": group.memory if group.memory_v2 else ()}
    above = [folder / f"{resource}.pressure" for folder in reversed(folders[resource])]
    for path in (proc / "pressure" / resource, *above):
        for line in _text(path).splitlines():
            kind, _, figures = line.partition(" avg10=")
            if kind == "some":
                return min(1.0, float(figures.split()[0]) / 100)
    return None


def scheduled_seconds(pid: int, proc: Path = Path("/proc")) -> tuple[float, float] | None:
    """Return for how long a process's main thread was on a processor and waited for one; None if unknown.

    The kernel's Documentation/scheduler/sched-stats.rst; the wait counts what a quota holds back too.
    """
    words = _text(proc / str(pid) / "schedstat").split()
    return (int(words[0]) / 1e9, int(words[1]) / 1e9) if len(words) == 3 else None


IDLE_MODES = ("idle", "iowait")
"""Modes of a processor that does nothing."""


def processor_seconds() -> dict[str, float]:
    """Return for how long all processors together were in each mode since the start, in seconds."""
    times = psutil.cpu_times()._asdict()
    # Linux counts the time of guests within that of users already.
    return {mode: seconds for mode, seconds in times.items() if not mode.startswith("guest")}


def processor_times() -> tuple[float, float]:
    """Return for how long all processors together were busy and idle since the start, in seconds."""
    times = processor_seconds()
    idle = sum(times.get(mode, 0.0) for mode in IDLE_MODES)
    return sum(times.values()) - idle, idle


def host_identity() -> str:
    """Return what all containers of a machine share: the kernel's boot id, else the host name."""
    return _text(Path("/proc/sys/kernel/random/boot_id")).strip() or socket.gethostname()


def anonymous_memory_bytes(pid: int) -> int | None:
    """Return the anonymous memory of a process, or None when it is gone.

    Anonymous memory is what the process alone holds and the kernel cannot drop. Memory-mapped caches are left
    out: their pages are shared between the trainers of a host and are given back at need. Pages inherited by
    a fork count until they are given up.
    """
    _, found, rest = _text(f"/proc/{pid}/status").partition("\nRssAnon:")
    return int(rest.split(maxsplit=1)[0]) * 1024 if found else None
