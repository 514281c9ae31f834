"""A bound on the memory that reading one file may take, for formats that say themselves how much they need.

A few bytes of Parquet or Arrow can ask for any amount. The kernel refuses what goes beyond the bound (Linux
counts private memory that can be written, man 2 setrlimit, RLIMIT_DATA); on other systems there is none.
"""

from __future__ import annotations

import contextlib
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

from trainer.sources.probe import UnreadableError

SLACK_BYTES = 256 << 20
"""For what a reader needs beside the values."""


@contextlib.contextmanager
def memory_bound(values_bytes: int) -> Iterator[None]:
    """Hold what is done within to `values_bytes` and some slack, on top of what the process has now.

    Raises
    ------
    UnreadableError
        It asked for more.
    MemoryError
        It asked for less than the bound, and the machine or another limit has refused that.
    """
    held = _private_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    bound = held + SLACK_BYTES + values_bytes
    lower = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    if not held or bound >= min(lower, default=sys.maxsize):
        yield
        return
    resource.setrlimit(resource.RLIMIT_DATA, (bound, hard))
    try:
        yield
    except MemoryError as error:
        mib = (SLACK_BYTES + values_bytes) >> 20
        raise UnreadableError(f"it asks for more than {mib:,} MiB, as no file of its size needs") from error
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _private_bytes() -> int:
    if not sys.platform.startswith("linux"):
        return 0
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0
