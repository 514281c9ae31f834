"""The version of this program."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version


def program_version() -> str:
    """Return the version of this program, as installed."""
    try:
        return version("nighttrain")
    except PackageNotFoundError:
        return f"uninstalled on Python {platform.python_version()}"
