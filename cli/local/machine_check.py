"""Whether this machine can train a night: Python, parts, cores, memory, disk, time zone."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from cli.local.fit import too_many
from cli.local.machine import this_machine, trainer_count
from cli.local.requirement import Requirement, failed, ok, warning
from common import host
from common.errors import ConfigurationError
from common.settings.night import NightSettings
from common.settings.sections import GIBIBYTE

OLDEST_PYTHON = (3, 11)

LEAST_FREE_BYTES = GIBIBYTE
"""What a disk should keep free beyond what the night needs, for logs, database and models."""

PARTS = {
    "coordinator": ("fastapi", "sqlalchemy", "alembic", "uvicorn", "httptools"),
    "trainer": ("numpy", "pyarrow", "sklearn", "scipy", "talib", "isal"),
}
"""The extras of the package, and some of what each brings."""


def python() -> Requirement:
    """Check the version of Python."""
    found = f"Python {platform.python_version()}"
    if sys.version_info < OLDEST_PYTHON:
        return failed("python", found, "install Python 3.11 or newer, then make setup")
    return ok("python", found)


def parts() -> Requirement:
    """Check that the extras are installed: an image has one of them on purpose."""
    lacking = [
        part
        for part, modules in PARTS.items()
        if any(importlib.util.find_spec(module) is None for module in modules)
    ]
    if "trainer" not in lacking:
        from trainer.compiled.library import opened

        try:
            opened()
        except ConfigurationError as error:
            return failed("parts", error.detail, error.hint)
    if not lacking:
        return ok("parts", "coordinator and trainer are installed")
    todo = f"make setup, or install nighttrain[{','.join(lacking)}]; right so inside an image"
    return warning("parts", f"{' and '.join(lacking)} not installed here", todo)


def cores() -> Requirement:
    """Check the cores by affinity and the control group's quota."""
    machine = this_machine()
    found = f"{machine.cores:g} by affinity and control group"
    if machine.cores < 1:
        return warning("cores", found, "give the container a core or more; the night takes longer otherwise")
    if machine.cores < 2:
        return warning("cores", found, "coordinator and trainer share one; two or more are faster")
    return ok("cores", found)


def memory(settings: NightSettings) -> Requirement:
    """Check that the trainers fit in the memory, by the host and the control group's limit."""
    available = host.available_memory_bytes()
    count = trainer_count(settings)
    limit = settings.max_memory_per_process
    usable = available * settings.memory_threshold
    impossible, many = too_many(count, settings, this_machine())
    if many and count > 1:
        return (failed if impossible else warning)(
            "memory", many, "lower num_workers: nighttrain config --optimize"
        )
    found = f"{available / GIBIBYTE:.1f} GiB available, {count} trainer(s) of {limit:g} GiB"
    if usable < settings.memory_limit_bytes:
        todo = "free some memory, or lower max_memory_per_process: nighttrain config --optimize"
        return (failed if usable < 0.5 * GIBIBYTE else warning)("memory", found, todo)
    return ok("memory", found)


def disk(out: Path, needed_bytes: int | None, basis: str) -> Requirement:
    """Check that the out folder can be written and has room for the grid.

    Parameters
    ----------
    out : Path
        The out folder; it need not be there.
    needed_bytes : int or None
        What the night is expected to write; None where that is not known.
    basis : str
        What that is based on.
    """
    place = out.absolute()
    while not place.exists():
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            free = shutil.disk_usage(place).free
    except OSError as error:
        todo = "make it writable, or choose another folder with --out DIR"
        return failed("disk", f"{place}: cannot be written: {error.strerror}", todo)
    found = f"{free / GIBIBYTE:.1f} GiB free for {out}"
    if needed_bytes is not None:
        found += f", at most {needed_bytes / GIBIBYTE:.1f} GiB needed ({basis})"
    if free < (needed_bytes or 0):
        return failed("disk", found, "free some space, or choose another disk with --out DIR")
    if free < (needed_bytes or 0) + LEAST_FREE_BYTES:
        return warning("disk", found, "free some space: logs, database and models need some too")
    return ok("disk", found)


def time_zone(settings: NightSettings) -> Requirement:
    """Check the clock's zone against the window's."""
    here = datetime.now().astimezone()
    found = f"{here.tzname()} here, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    window = settings.window
    if window is None:
        return ok("time zone", f"{found}; no window: jobs are handed out at any hour")
    found += f"; window {window.start:%H:%M} to {window.end:%H:%M} {window.timezone}"
    if here.utcoffset() != datetime.now(window.zone).utcoffset():
        return warning(
            "time zone", found, "the window is in another zone than this clock; check window.timezone"
        )
    return ok("time zone", found)
