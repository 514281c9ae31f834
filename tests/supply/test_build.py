"""What is written in C is compiled wherever the project is installed, and means the same there."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.trainer.compiled.specimens import digest_of_sums
from trainer.compiled import library, passes, predictions

ROOT = Path(__file__).parents[2]
PACKAGED = ["cli", "common", "coordinator", "trainer", "pyproject.toml", "setup.py", "README.md"]


@pytest.fixture(scope="module")
def without_a_compiler(tmp_path_factory):
    """A wheel that is built where no compiler is on the path, unpacked."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for name in PACKAGED:
        subprocess.run(["cp", "-r", ROOT / name, source], check=True)
    # What lies about of other builds is not to get in.
    (source / "trainer/compiled/library_plain.cpython-399-x86_64-linux-gnu.so").touch()
    uv = Path(sys.executable).with_name("uv")
    kept = {
        name: os.environ[name] for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "HOME") if name in os.environ
    }
    build = subprocess.run(
        [uv, "build", "--wheel", "--system-certs", "--python", sys.executable, "--out-dir", built, source],
        env={"PATH": "", **kept},
        capture_output=True,
        text=True,
    )
    if build.returncode and "Failed to fetch" in build.stderr:
        pytest.skip("PyPI, where the compiler is a package, cannot be reached")
    assert build.returncode == 0, build.stderr
    (wheel,) = built.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(built)
    assert not list(built.glob("trainer/compiled/*399*"))
    return built


@pytest.mark.parametrize("name", [library.PLAIN, library.FUSED])
def test_without_a_compiler_one_comes_as_a_package_and_gives_the_same_digits(
    name, without_a_compiler, monkeypatch
):
    if name == library.FUSED and not library.library(library.PLAIN).fuses():
        pytest.skip("this processor does not fuse products and sums, or all of its kind do")
    (theirs,) = without_a_compiler.glob(f"{name.replace('.', '/')}.*")
    assert b"GCC: (" not in theirs.read_bytes(), "a compiler was found all the same"
    digests = []
    for each in (library.library(name), library.told(str(theirs))):
        for module in (passes, predictions):
            monkeypatch.setattr(module, "_LIBRARY", each)
        digests.append(digest_of_sums())
    assert digests[0] == digests[1]


def test_what_another_compiler_made_knows_as_well_what_the_processor_can(without_a_compiler):
    (theirs,) = without_a_compiler.glob(f"{library.PLAIN.replace('.', '/')}.*")
    assert library.told(str(theirs)).fuses() == library.library(library.PLAIN).fuses()
