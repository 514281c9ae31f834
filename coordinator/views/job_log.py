"""What the coordinator's log says of one job: its last lines, read from the end of the file."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path

from common.protocol.job_views import JobView
from common.protocol.jobs import JobKind

READ_BYTES = 1024 * 1024
"""How much of the log's end is searched: some ten thousand lines, a few nights."""

SHOWN_LINES = 40
WRITTEN_LATER = timedelta(seconds=1)
"""How long after its end a job is still written about: its end is the beginning of what ends it."""
LINE_CHARACTERS = 400
"""A longer line is cut; the attempts hold the evidence in full."""


def job_log(log: Path, job: JobView, name: str) -> tuple[str, ...]:
    """Return the last lines of a log that name a job, with control characters escaped.

    Parameters
    ----------
    log : Path
        The coordinator's log. One that cannot be read has no lines.
    job : JobView
        The job. Lines of the same cell in an earlier night are left out by their time.
    name : str
        What the log calls it, such as `BTCUSDT_1h_H3` or `survey of BTCUSDT`.
    """
    names = re.compile(rf"(?<![\w/]){re.escape(name)}(?!\w)")
    if job.kind is JobKind.SURVEY:
        names = re.compile(rf"(?<![\w/])(?:{re.escape(name)}|survey {re.escape(job.symbol)})(?!\w)")
    since = f"{job.created:%Y-%m-%dT%H:%M:%S}"
    until = f"{job.finished + WRITTEN_LATER:%Y-%m-%dT%H:%M:%S.999Z}" if job.finished else "9"
    found = [line for line in _end_of(log) if since <= line[:24] <= until and names.search(line)]
    return tuple(printable(line[:LINE_CHARACTERS]) for line in found[-SHOWN_LINES:])


def printable(text: str) -> str:
    """Return a text with each character that cannot be shown written as its code."""
    return "".join(
        one if one.isprintable() or one in "\n\t" else one.encode("unicode_escape").decode() for one in text
    )


def _end_of(log: Path) -> list[str]:
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - READ_BYTES, 0))
            lines = file.read(READ_BYTES).decode(errors="replace").splitlines()
    except OSError:
        return []
    return lines[1:] if size > READ_BYTES else lines
