from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from trainer.process.environment import CPU_INFO, KEPT_MEMORY, environment

SUMS = """
import hashlib, numpy
a = numpy.random.default_rng(0).standard_normal((4096, 46))
print(hashlib.sha256((a.T @ a).tobytes()).hexdigest())
"""

FAULTS = """
import resource, numpy
for _ in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    arrays = [numpy.ones(3 << 17) for _ in range(8)]
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    del arrays
print(faults)
"""


@pytest.mark.parametrize(
    ("machine", "flags", "named"),
    [
        ("x86_64", "fpu sse2 avx avx2 fma", True),
        ("AMD64", "fpu sse2 avx avx2 fma", True),
        ("x86_64", "fpu sse2 avx", False),
        ("aarch64", "fpu sse2 avx avx2 fma", False),
    ],
)
def test_the_kernel_is_named_only_where_it_runs(
    tmp_path: Path, machine: str, flags: str, named: bool
) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags : {flags}\n")
    assert ("OPENBLAS_CORETYPE" in environment(machine, tmp_path / "cpuinfo")) is named


def test_without_a_list_of_features_openblas_picks_for_itself(tmp_path: Path) -> None:
    assert "OPENBLAS_CORETYPE" not in environment("x86_64", tmp_path / "missing")


def test_sums_are_equal_whatever_the_surroundings_asked_for() -> None:
    if " avx2 " not in CPU_INFO.read_text():
        pytest.skip("this CPU has no AVX2, so OpenBLAS picks its kernels by itself")
    digests = set()
    for asked in ({}, {"OPENBLAS_CORETYPE": "Sandybridge"}, {"OPENBLAS_NUM_THREADS": "2"}):
        done = subprocess.run(
            [sys.executable, "-c", SUMS],
            env={**os.environ, **asked, **environment()},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(done.stdout)
    assert len(digests) == 1
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS")}
    other = subprocess.run(
        [sys.executable, "-c", SUMS],
        env={**plain, "OPENBLAS_CORETYPE": "Sandybridge"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout not in digests, "the kernels differ, so naming one is what makes the sums equal"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator does not read the variables")
def test_what_an_array_leaves_the_next_one_takes() -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    faults = [
        int(subprocess.run([sys.executable, "-c", FAULTS], env=env, capture_output=True, check=True).stdout)
        for env in (plain, plain | KEPT_MEMORY)
    ]
    assert faults[1] < faults[0] / 4
