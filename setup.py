"""Compiles what is written in C; all else that the package is stands in pyproject.toml.

Any C compiler that knows vectors will do (gcc 12, clang 15). Where there is none, one that comes as a Python
package is installed for the build alone.
"""

import atexit
import os
import platform
import runpy
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

FOLDER = Path("trainer/compiled")
SOURCES = [
    str(FOLDER / f"{name}.c")
    for name in ("passes", "moments", "predictions", "labels", "edges", "spectra", "scales", "features")
]
COMPILER_PACKAGE = "ziglang==0.17.1"
# Products and sums are fused where the source says so, and nowhere else: all compilers give the same digits.
FLAGS = ["-std=c11", "-O3", "-ffp-contract=off", "-fPIC", "-shared", "-Wno-psabi"]
FUSED = ["-mavx2", "-mfma"]
INTEL = platform.machine().lower() in {"x86_64", "amd64"}

PROBE = """
#include <math.h>
#include <stdlib.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif
typedef float eight __attribute__((vector_size(32)));
eight tried(eight a, eight b) { return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11); }
"""


def of_the_system() -> list[str] | None:
    """Return the command of CC or of the system's compiler, if it is new enough."""
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder, "probe.c")
        probe.write_text(PROBE)
        for command in (shlex.split(os.environ.get("CC", "")), ["cc"], ["gcc"], ["clang"]):
            if not command or not shutil.which(command[0]):
                continue
            tried = [*command, *FLAGS, *(FUSED if INTEL else []), "-o", f"{folder}/tried", str(probe), "-lm"]
            if subprocess.run(tried, capture_output=True).returncode == 0:
                return command
    return None


def of_the_package() -> list[str]:
    """Return the package's compiler, told to compile for any processor of this kind."""
    libc = "musl" if "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or "") else "gnu.2.28"
    system = "macos" if sys.platform == "darwin" else f"linux-{libc}"
    target = f"{'x86_64' if INTEL else 'aarch64'}-{system}"
    return [sys.executable, "-m", "ziglang", "cc", "-target", target, "-mcpu=baseline"]


class Compiled(build_ext):
    """Compile each library by one command, which needs no headers of Python's."""

    def build_extension(self, ext: Extension) -> None:
        """Compile one."""
        place = Path(self.get_ext_fullpath(ext.name))
        place.parent.mkdir(parents=True, exist_ok=True)
        digest = runpy.run_path(str(FOLDER / "source_digest.py"))["source_digest"](FOLDER)
        named = [*ext.extra_compile_args, f'-DSOURCES="{digest}"', "-o", str(place), *ext.sources, "-lm"]
        command = [*(FOUND or of_the_package()), *FLAGS, *named]
        if subprocess.run(command).returncode:
            raise SystemExit(f"{ext.name} could not be compiled by: {' '.join(command)}")


def libraries() -> list[Extension]:
    """Return what is to be compiled: for any processor, and for those that fuse products and sums."""
    if not Path(SOURCES[0]).exists():
        # The coordinator's image is built without the trainer.
        return []
    plain = Extension("trainer.compiled.library_plain", SOURCES)
    fused = Extension("trainer.compiled.library_fused", SOURCES, extra_compile_args=FUSED)
    return [plain, fused] if INTEL else [plain]


def passing() -> str:
    """Return a folder that is gone with this process: what a build leaves gets into no later one."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


FOUND = of_the_system()
LIBRARIES = libraries()
setup(
    ext_modules=LIBRARIES,
    cmdclass={"build_ext": Compiled},
    options={"build": {"build_base": passing()}, "egg_info": {"egg_base": passing()}},
    setup_requires=[COMPILER_PACKAGE] if LIBRARIES and FOUND is None else [],
)
