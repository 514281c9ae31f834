"""The environment in which equal inputs give equal bytes: it must be set before numpy is imported."""

from __future__ import annotations

import platform
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")

ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
"""Trainers share the cores, sums are always taken in the same order, and only a process of one thread forks
safely (Arrow's second allocator would start one in the background).
"""

COMMON_KERNEL = {"OPENBLAS_CORETYPE": "Haswell"}
"""OpenBLAS picks its kernels by the model of the CPU, and each sums in another order. These need AVX2, which
nearly every x86-64 machine since 2013 has, so that a job resumed on another machine ends in the same digits.
"""


KEPT_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "NUMPY_MADVISE_HUGEPAGE": "0",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
"""What an array leaves the next one takes: glibc gives large ones back at once, and the kernel has to clear
the same pages anew for each. They were a fifth of what a cell of a million rows costs. A child ends with its
job, so that nothing is kept for longer. Other allocators do not read these, and Arrow is told to do without
one of its own. Huge pages would have to be found too, which takes longer than it saves where files fill the
memory.
"""


def environment(machine: str | None = None, cpu_info: Path = CPU_INFO) -> dict[str, str]:
    """Return the variables for a process that computes.

    Parameters
    ----------
    machine : str, optional
        The architecture, by default this machine's.
    cpu_info : Path
        Where the kernel lists the features of the CPU.

    Returns
    -------
    dict of str to str
        The kernel of OpenBLAS is named only where it is known to run; elsewhere OpenBLAS picks its own.
    """
    if (machine or platform.machine()).lower() not in ("x86_64", "amd64"):
        return ONE_THREAD
    try:
        features = cpu_info.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ONE_THREAD
    return ONE_THREAD | COMMON_KERNEL if " avx2 " in features else ONE_THREAD
