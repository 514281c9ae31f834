"""Whether a trainer has the memory that even the smallest cell needs."""

from __future__ import annotations

import re

from cli.local.fit import AGENT_BYTES
from cli.local.nights_measured import lowest_peak
from cli.stack.facts import MEBIBYTE
from common.protocol.results import Results

SMALLEST_BYTES = 128 * MEBIBYTE
"""What the smallest cells took, whose rows weigh nothing: 240-2267 daily bars, three nights on Linux."""

UNITS = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


def size_bytes(text: str) -> int | None:
    """Return a size as Compose writes it, such as `2048m`, in bytes; None if it is none."""
    size = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([bkmgt]?)i?b?", text.strip().lower())
    return None if size is None else int(float(size[1]) * UNITS[size[2]])


def memory_warning(limit: str, nights: list[Results]) -> str:
    """Return that a trainer is too small for any cell, and what to set; nothing where it is not.

    Parameters
    ----------
    limit : str
        Memory of one trainer as Compose writes it, such as `2048m`; what is no size is left to Compose.
    nights : list of Results
        The last nights, which tell what cells took here.
    """
    size = size_bytes(limit)
    if size is None:
        return ""
    measured = lowest_peak(nights)
    needed = (measured or SMALLEST_BYTES) + AGENT_BYTES
    if size >= needed:
        return ""
    where = "in the last nights here" if measured else "on another machine"
    needed_mib = -(-needed // MEBIBYTE)
    return (
        f"warning: TRAINER_MEMORY={limit} is less than the {needed_mib} MiB that the smallest cell and its "
        f"trainer were measured to need {where}: set TRAINER_MEMORY={needed_mib * 2}m in .env, or the night "
        "will fail by memory"
    )
