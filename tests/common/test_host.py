import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.host import (
    ControlGroup,
    anonymous_memory_bytes,
    available_memory_bytes,
    control_group,
    host_identity,
    host_pressure,
    usable_cores,
    usable_workers,
)

GIB = 1024**3
NO_LIMIT_V1 = "9223372036854771712"

V2_MOUNTS = "31 24 0:26 / /sys/fs/cgroup rw,nosuid,nodev shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNTS = """\
24 1 0:22 / /proc rw - proc proc rw
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""

# Of 110 MB of page cache 10 MB are in a tmpfs, which the file lists leave out, and 10 MB are not written yet.
STAT_V2 = """\
anon 200000000
file 110000000
shmem 10000000
file_mapped 60000000
file_dirty 7000000
file_writeback 3000000
inactive_anon 190000000
active_anon 20000000
inactive_file 30000000
active_file 70000000
unevictable 0
"""
STAT_V1 = """\
cache 1
active_file 2
dirty 3
total_cache 110000000
total_shmem 10000000
total_dirty 7000000
total_writeback 3000000
total_inactive_file 30000000
total_active_file 70000000
"""


class Machine:
    """A tree of files as the kernel shows them."""

    def __init__(self, root: Path, mounts: str, groups: str) -> None:
        self.root = root
        self.proc = root / "proc" / "self"
        self.write("proc/self/mountinfo", mounts)
        self.write("proc/self/cgroup", groups)

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    @property
    def group(self) -> ControlGroup:
        return control_group(self.proc, self.root)


@pytest.fixture
def v2(tmp_path) -> Machine:
    """A container of cgroup v2 without a namespace of its own: /docker/c1 below the limit of /docker."""
    machine = Machine(tmp_path, V2_MOUNTS, "0::/docker/c1\n")
    own, above = "sys/fs/cgroup/docker/c1", "sys/fs/cgroup/docker"
    machine.write(f"{own}/memory.max", "max\n")
    machine.write(f"{own}/memory.current", "314572800\n")
    machine.write(f"{own}/memory.peak", "524288000\n")
    machine.write(f"{own}/memory.events", "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n")
    machine.write(f"{own}/memory.stat", STAT_V2)
    machine.write(f"{own}/cpu.max", "150000 100000\n")
    machine.write(f"{above}/memory.max", "2147483648\n")
    machine.write(f"{above}/cpu.max", "max 100000\n")
    return machine


@pytest.fixture
def v1(tmp_path) -> Machine:
    machine = Machine(
        tmp_path, V1_MOUNTS, "9:name=systemd:/\n4:memory:/docker/c1\n2:cpu,cpuacct:/docker/c1\n0::/\n"
    )
    own, above = "sys/fs/cgroup/memory/docker/c1", "sys/fs/cgroup/memory/docker"
    machine.write(f"{own}/memory.limit_in_bytes", "1073741824\n")
    machine.write(f"{own}/memory.usage_in_bytes", "314572800\n")
    machine.write(f"{own}/memory.max_usage_in_bytes", "1073741824\n")
    machine.write(f"{own}/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
    machine.write(f"{own}/memory.stat", STAT_V1)
    machine.write(f"{above}/memory.limit_in_bytes", f"{NO_LIMIT_V1}\n")
    machine.write("sys/fs/cgroup/cpu,cpuacct/docker/c1/cpu.cfs_quota_us", "50000\n")
    machine.write("sys/fs/cgroup/cpu,cpuacct/docker/c1/cpu.cfs_period_us", "100000\n")
    machine.write("sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us", "-1\n")
    machine.write("sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us", "100000\n")
    return machine


def test_v2_figures_are_read_and_limits_of_ancestors_bind(v2) -> None:
    group = v2.group
    assert group.memory_v2 and group.cpu_v2
    assert group.memory_limit_bytes() == 2 * GIB
    assert group.memory_usage_bytes() == 314572800
    assert group.memory_peak_bytes() == 524288000
    assert group.oom_kills() == 2
    assert group.reclaimable_bytes() == 90000000
    assert group.cpu_quota() == 1.5


def test_v2_own_limits_bind_where_they_are_smaller(v2) -> None:
    v2.write("sys/fs/cgroup/docker/c1/memory.max", "1073741824\n")
    v2.write("sys/fs/cgroup/docker/cpu.max", "40000 100000\n")
    assert v2.group.memory_limit_bytes() == GIB
    assert v2.group.cpu_quota() == 0.4


def test_v2_counts_the_cpu_time_and_the_time_held_back(v2) -> None:
    assert (v2.group.cpu_seconds(), v2.group.cpu_throttled_seconds()) == (None, 0.0)
    v2.write(
        "sys/fs/cgroup/docker/c1/cpu.stat",
        "usage_usec 12500000\nuser_usec 9000000\nnr_periods 70\nnr_throttled 3\nthrottled_usec 1500000\n",
    )
    assert (v2.group.cpu_seconds(), v2.group.cpu_throttled_seconds()) == (12.5, 1.5)


@pytest.mark.parametrize("together", [True, False], ids=["one hierarchy", "two hierarchies"])
def test_v1_counts_the_cpu_time_and_the_time_held_back(tmp_path, together) -> None:
    mounts, groups = V1_MOUNTS, "2:cpu,cpuacct:/docker/c1\n"
    folder = "cpu,cpuacct"
    if not together:
        mounts = V1_MOUNTS.replace("cpu,cpuacct", "cpu")
        mounts += "33 31 0:30 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct\n"
        groups, folder = "2:cpu:/docker/c1\n3:cpuacct:/docker/c1\n", "cpuacct"
    machine = Machine(tmp_path, mounts, groups)
    assert (machine.group.cpu_seconds(), machine.group.cpu_throttled_seconds()) == (None, 0.0)
    machine.write(f"sys/fs/cgroup/{folder}/docker/c1/cpuacct.usage", "12500000000\n")
    machine.write(
        f"sys/fs/cgroup/{'cpu,cpuacct' if together else 'cpu'}/docker/c1/cpu.stat",
        "nr_periods 70\nnr_throttled 3\nthrottled_time 1500000000\n",
    )
    assert (machine.group.cpu_seconds(), machine.group.cpu_throttled_seconds()) == (12.5, 1.5)


def test_v2_within_a_namespace_the_own_group_is_the_mount(tmp_path) -> None:
    machine = Machine(tmp_path, V2_MOUNTS, "0::/\n")
    machine.write("sys/fs/cgroup/memory.max", "536870912\n")
    assert machine.group.memory_limit_bytes() == GIB // 2


def test_v2_without_limits_says_none(tmp_path) -> None:
    machine = Machine(tmp_path, V2_MOUNTS, "0::/user.slice\n")
    machine.write("sys/fs/cgroup/user.slice/memory.max", "max\n")
    machine.write("sys/fs/cgroup/user.slice/cpu.max", "max 100000\n")
    group = machine.group
    assert (group.memory_limit_bytes(), group.cpu_quota()) == (None, None)
    assert (group.memory_peak_bytes(), group.oom_kills()) == (None, None)


def test_v1_figures_are_read_and_no_limit_is_told_from_a_limit(v1) -> None:
    group = v1.group
    assert not group.memory_v2 and not group.cpu_v2
    assert group.memory_limit_bytes() == GIB
    assert group.memory_usage_bytes() == 314572800
    assert group.memory_peak_bytes() == GIB
    assert group.oom_kills() == 1
    assert group.reclaimable_bytes() == 90000000
    assert group.cpu_quota() == 0.5
    v1.write("sys/fs/cgroup/memory/docker/c1/memory.limit_in_bytes", f"{NO_LIMIT_V1}\n")
    assert v1.group.memory_limit_bytes() is None


def test_v1_within_a_container_the_mount_is_the_own_group_under_the_hosts_path(tmp_path) -> None:
    mounts = "35 31 0:32 /docker/c1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
    machine = Machine(tmp_path, mounts, "4:memory:/docker/c1\n")
    machine.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n")
    assert machine.group.memory_limit_bytes() == GIB
    machine.write("proc/self/cgroup", "4:memory:/docker/c1/inner\n")
    machine.write("sys/fs/cgroup/memory/inner/memory.limit_in_bytes", "536870912\n")
    assert machine.group.memory_limit_bytes() == GIB // 2


def test_v1_group_that_is_not_mounted_falls_back_to_the_mount(tmp_path) -> None:
    machine = Machine(tmp_path, V1_MOUNTS, "4:memory:/elsewhere\n")
    machine.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n")
    assert machine.group.memory_limit_bytes() == GIB


@pytest.mark.parametrize(
    ("stat", "droppable"),
    [
        ("active_file 1000\ninactive_file 500\n", 1500),
        ("shmem 4000\nactive_anon 4000\ninactive_file 500\n", 500),
        ("inactive_file 500\nfile_dirty 400\n", 100),
        ("active_file 500\nfile_writeback 400\n", 100),
        ("inactive_file 500\nfile_dirty 400\nfile_writeback 400\n", 0),
    ],
    ids=["mapped", "tmpfs", "dirty", "being written", "both"],
)
def test_page_cache_that_can_be_dropped_is_clean_and_of_files(v2, stat, droppable) -> None:
    v2.write("sys/fs/cgroup/docker/c1/memory.stat", stat)
    assert v2.group.reclaimable_bytes() == droppable


def test_without_control_groups_nothing_is_known(tmp_path) -> None:
    group = control_group(tmp_path, tmp_path)
    assert group == ControlGroup()
    assert group.memory_limit_bytes() is None
    assert group.memory_usage_bytes() is None
    assert group.memory_peak_bytes() is None
    assert group.oom_kills() is None
    assert group.cpu_quota() is None
    assert group.reclaimable_bytes() == 0


def test_cores_are_those_of_the_quota_or_of_the_affinity(v2, tmp_path) -> None:
    allowed = len(os.sched_getaffinity(0))
    assert usable_cores(v2.group) == min(1.5, allowed)
    v2.write("sys/fs/cgroup/docker/c1/cpu.max", "6400000 100000\n")
    assert usable_cores(v2.group) == allowed
    assert usable_cores(ControlGroup()) == allowed


def test_affinity_counts_not_the_hosts_cpus() -> None:
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    code += "from common.host import usable_cores; print(usable_cores())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert float(done.stdout) <= 1.0


def test_available_memory_is_what_the_limit_leaves_without_droppable_cache(v2) -> None:
    v2.write("sys/fs/cgroup/docker/c1/memory.max", "400000000\n")
    assert available_memory_bytes(v2.group) == 400000000 - 314572800 + 90000000
    v2.write("sys/fs/cgroup/docker/c1/memory.max", "100000000\n")
    assert available_memory_bytes(v2.group) == 0


def test_available_memory_without_limit_is_the_hosts() -> None:
    available = psutil.virtual_memory().available
    assert abs(available_memory_bytes(ControlGroup()) - available) < GIB


@pytest.mark.parametrize(
    ("cores", "available_gib", "limit_gib", "workers"),
    [
        (8.0, 64, 2, 7),
        (2.0, 64, 2, 1),
        (1.0, 64, 2, 1),
        (0.5, 64, 2, 1),
        (2.9, 64, 2, 1),
        (3.0, 64, 2, 2),
        (64.0, 16, 2, 6),
        (8.0, 1, 2, 1),
        (8.0, 0, 2, 1),
    ],
)
def test_workers_leave_a_core_and_fit_in_memory_and_are_at_least_one(
    cores, available_gib, limit_gib, workers
) -> None:
    assert usable_workers(cores, available_gib * GIB, limit_gib * GIB, 0.85) == workers


@given(st.floats(0.1, 256), st.integers(0, 2**42), st.integers(2**27, 2**38), st.floats(0.1, 1.0))
def test_more_than_one_worker_never_takes_more_than_there_is(cores, available, limit, threshold) -> None:
    workers = usable_workers(cores, available, limit, threshold)
    assert workers >= 1
    if workers > 1:
        assert workers <= cores - 1
        assert workers * limit <= available * threshold


def test_this_machines_own_control_group_is_readable() -> None:
    group = control_group()
    assert usable_cores(group) > 0
    assert available_memory_bytes(group) > 0
    for folder in (*group.memory, *group.cpu):
        assert folder.is_dir()
    usage, limit = group.memory_usage_bytes(), group.memory_limit_bytes()
    if usage is not None and limit is not None:
        assert 0 < usage <= limit * 1.1


def test_this_machines_own_group_is_the_one_that_lists_this_process() -> None:
    group = control_group()
    if not group.memory:
        pytest.skip("no memory controller here")
    assert str(os.getpid()) in (group.memory[0] / "cgroup.procs").read_text().split()


def test_pressure_is_the_hosts() -> None:
    host_pressure()
    pressure = host_pressure()
    memory = psutil.virtual_memory()
    assert pressure.memory_total_bytes == memory.total
    assert 0 < pressure.memory_available_bytes <= memory.total
    assert 0.0 <= pressure.cpu_ratio <= 1.0


def test_a_busy_host_is_seen_as_busy() -> None:
    host_pressure()
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        sum(range(1000))
    assert host_pressure().cpu_ratio > 0.2 / psutil.cpu_count()


def test_all_processes_of_a_host_name_it_alike() -> None:
    code = "from common.host import host_identity; print(host_identity())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == host_identity() != ""


def test_anonymous_memory_counts_what_is_allocated_and_not_what_is_mapped(tmp_path) -> None:
    size = 64 << 20
    file = tmp_path / "cache"
    file.write_bytes(b"x" * size)
    code = f"""
import mmap, sys
def wait(): print(flush=True); sys.stdin.readline()
wait()
file = open({str(file)!r}, "rb")
mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
sum(mapped[::4096])
wait()
held = bytearray(b"y") * {size}
wait()
"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True) as process:
        figures = []
        for _ in range(3):
            process.stdout.readline()
            figures.append(anonymous_memory_bytes(process.pid))
            process.stdin.write("\n")
            process.stdin.flush()
    start, mapped, held = figures
    assert mapped - start < size / 8
    assert size <= held - mapped < size * 1.2
    assert anonymous_memory_bytes(process.pid) is None
