"""What is written in C is compiled wherever the project is installed, and means the same there."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from trainer.compiled import library, passes

ROOT = Path(__file__).parents[2]
PACKAGED = ["cli", "common", "coordinator", "trainer", "pyproject.toml", "setup.py", "README.md"]


@pytest.fixture(scope="module")
def without_a_compiler(tmp_path_factory):
    """A wheel that is built where no compiler is on the path, unpacked."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for name in PACKAGED:
        subprocess.run(["cp", "-r", ROOT / name, source], check=True)
    for left in source.glob("trainer/compiled/*.so"):
        left.unlink()
    uv = Path(sys.executable).with_name("uv")
    certificates = {
        name: os.environ[name] for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if name in os.environ
    }
    build = subprocess.run(
        [uv, "build", "--wheel", "--system-certs", "--python", sys.executable, "--out-dir", built, source],
        env={"PATH": "", "HOME": str(built), **certificates},
        capture_output=True,
        text=True,
    )
    if build.returncode and "Failed to fetch" in build.stderr:
        pytest.skip("PyPI, where the compiler is a package, cannot be reached")
    assert build.returncode == 0, build.stderr
    (wheel,) = built.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(built)
    return built


def sums():
    draw = np.random.default_rng(7)
    values, row = draw.standard_normal((5000, 13)).astype(np.float32), np.arange(0, 5000, 2)
    weights, y = draw.standard_normal((6, 14)), draw.integers(0, 2, 2500).astype(float)
    return [
        passes.curved_sums(values, row, None, 3.0 * weights[:, 1:], weights[:, 0]),
        *passes.logistic_sums(values, row, y, np.ones(13), weights),
        *passes.logistic_sums_rounded(values, row, y, np.ones(13), weights),
        *passes.judged(values, 7, 4000, weights[:, 1:], weights[:, 0], 2, np.ones(3993), 36.0),
        passes.weighted_sums(values, row, y, np.ones(13)),
        passes.products(values, 5, 4990, None, np.ones(13)),
        passes.sizes(values, row),
    ]


@pytest.mark.parametrize("name", [library.PLAIN, library.FUSED])
def test_without_a_compiler_one_comes_as_a_package_and_gives_the_same_digits(
    name, without_a_compiler, monkeypatch
):
    if name == library.FUSED and not library.library(library.PLAIN).fuses():
        pytest.skip("this processor does not fuse products and sums, or all of its kind do")
    monkeypatch.setattr(passes, "_LIBRARY", library.library(name))
    ours = sums()
    (theirs,) = without_a_compiler.glob(f"{name.replace('.', '/')}.*")
    monkeypatch.setattr(passes, "_LIBRARY", library.told(str(theirs)))
    assert [each.tobytes() for each in sums()] == [each.tobytes() for each in ours]
