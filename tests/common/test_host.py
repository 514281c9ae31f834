"""What this process may use of its machine, and how busy that is."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.host import (
    ControlGroup,
    anonymous_memory_bytes,
    available_memory_bytes,
    host_identity,
    host_pressure,
    usable_cores,
    usable_workers,
)
from tests.common.control_group_files import GIB


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


def test_workers_take_all_cores_where_none_is_to_stay_free() -> None:
    assert usable_workers(2.9, 64 * GIB, 2 * GIB, 0.85, free_cores=0) == 2
    assert usable_workers(0.5, 64 * GIB, 2 * GIB, 0.85, free_cores=0) == 1
    assert usable_workers(64.0, 16 * GIB, 2 * GIB, 0.85, free_cores=0) == 6


@given(st.floats(0.1, 256), st.integers(0, 2**42), st.integers(2**27, 2**38), st.floats(0.1, 1.0))
def test_more_than_one_worker_never_takes_more_than_there_is(cores, available, limit, threshold) -> None:
    workers = usable_workers(cores, available, limit, threshold)
    assert workers >= 1
    if workers > 1:
        assert workers <= cores - 1
        assert workers * limit <= available * threshold


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
