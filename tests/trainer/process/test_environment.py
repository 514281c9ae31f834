from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trainer.process.environment import CPU_INFO, environment

SUMS = """
import hashlib, numpy
a = numpy.random.default_rng(0).standard_normal((4096, 46))
print(hashlib.sha256((a.T @ a).tobytes()).hexdigest())
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
