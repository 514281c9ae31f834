"""What the files of control groups say, of both versions and of this machine."""

from __future__ import annotations

import os

import pytest

from common.host import ControlGroup, available_memory_bytes, control_group, usable_cores
from tests.common.control_group_files import (
    BOTH_GROUPS,
    BOTH_MOUNTS,
    BOTH_V2_CPU_STAT,
    GIB,
    NO_LIMIT_V1,
    V1_MOUNTS,
    V2_CONTAINER,
    V2_CONTAINER_MOUNTS,
    V2_MOUNTS,
    Machine,
)


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


def test_v2_as_a_container_of_its_own_namespace_sees_it(tmp_path) -> None:
    machine = Machine(tmp_path / "a machine", V2_CONTAINER_MOUNTS, "0::/\n")
    for name, text in V2_CONTAINER.items():
        machine.write(f"sys/fs/cgroup/{name}", text)
    group = machine.group
    assert (group.memory_limit_bytes(), group.memory_usage_bytes()) == (1536 << 20, 700 << 20)
    assert (group.memory_peak_bytes(), group.oom_kills()) == (GIB, 1)
    assert group.reclaimable_bytes() == 140 << 20
    assert (group.cpu_quota(), group.cpu_seconds(), group.cpu_throttled_seconds()) == (1.5, 9.5, 0.25)
    assert usable_cores(group) <= 1.5
    assert available_memory_bytes(group) <= (1536 - 700 + 140) << 20


def test_of_both_versions_the_one_that_has_the_controllers_is_read(tmp_path) -> None:
    machine = Machine(tmp_path, BOTH_MOUNTS, BOTH_GROUPS)
    machine.write("sys/fs/cgroup/unified/cgroup.controllers", "hugetlb\n")
    machine.write("sys/fs/cgroup/unified/cpu.stat", BOTH_V2_CPU_STAT)
    machine.write("sys/fs/cgroup/memory/api/d069/memory.limit_in_bytes", "2147483648\n")
    machine.write("sys/fs/cgroup/memory/memory.limit_in_bytes", f"{NO_LIMIT_V1}\n")
    machine.write("sys/fs/cgroup/cpuacct/cpuacct.usage", "3500000000\n")
    group = machine.group
    assert not group.memory_v2 and not group.cpu_v2
    assert group.memory_limit_bytes() == 2 * GIB
    assert group.cpu_seconds() == 3.5


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
