"""A command run in a real pseudo-terminal, as a person would."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from pathlib import Path

from tests.cli.conftest import ROOT, Outcome, command, environment

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def in_terminal(
    *arguments: object, timeout: float = 120, cwd: Path = ROOT, columns: int = 120, **env: str
) -> Outcome:
    """Run the command line in a terminal; stdout and stderr come as one, in `out`, with their colours."""
    mine, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        command(*arguments),
        cwd=cwd,
        env={**environment(), "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **env},
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    said = bytearray()
    try:
        while True:
            try:
                part = os.read(mine, 65536)
            except OSError:
                # Linux says EIO when nobody has the other side open any longer.
                break
            if not part:
                break
            said += part
        return Outcome(process.wait(timeout), said.decode().replace("\r\n", "\n"), "")
    finally:
        os.close(mine)
        if process.poll() is None:
            process.kill()
            process.wait()


def plain(text: str) -> str:
    """Return what a terminal shows, without colours and movements."""
    return ESCAPES.sub("", text)
