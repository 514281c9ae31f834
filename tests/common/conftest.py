"""Machines with control groups of both versions."""

from __future__ import annotations

import pytest

from tests.common.control_group_files import NO_LIMIT_V1, STAT_V1, STAT_V2, V1_MOUNTS, V2_MOUNTS, Machine


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
