"""The commands as people run them: in a terminal, which is asked, answered and interrupted."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.commands.conftest import TOKEN, Ask
from tests.cli.conftest import ROOT, command, environment
from tests.coordinator.specimens import Night

PATIENCE_SECONDS = 60.0
COLUMNS = 80


class Terminal:
    """A command in a terminal of 80 columns."""

    def __init__(self, *words: object) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            command(*words),
            cwd=ROOT,
            env=environment(),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=self._be_in_foreground,
        )
        os.close(slave)
        self.shown = ""

    @staticmethod
    def _be_in_foreground() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        # What was started in the background of a script ignores it, and so would all that it starts.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    def reads(self, words: str) -> None:
        """Wait until something is shown."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while words not in self.shown:
            assert time.monotonic() < deadline, self.shown
            if not self._read():
                raise AssertionError(self.shown)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def ends(self) -> int:
        """Wait for the end, and return the exit code."""
        while self._read():
            continue
        return self.process.wait(PATIENCE_SECONDS)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self.master)

    def _read(self) -> bool:
        ready, _, _ = select.select([self.master], [], [], PATIENCE_SECONDS)
        assert ready, self.shown
        try:
            content = os.read(self.master, 65536)
        except OSError:
            # Nobody has the other end any more.
            return False
        self.shown += content.decode(errors="replace").replace("\r\n", "\n")
        return bool(content)


@pytest.fixture
def terminal(address: str, tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    token = tmp_path / "given"
    token.write_text(TOKEN)
    token.chmod(0o600)
    opened: list[Terminal] = []

    def make(*words: object) -> Terminal:
        opened.append(Terminal(*words, "--url", address, "--token-file", token))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def test_what_cannot_be_undone_is_asked_for(terminal: Callable[..., Terminal], ask: Ask, work: Night) -> None:
    work.start()
    for answer in ("n\n", "\n"):
        first = terminal("end")
        first.reads("Go on? [y/N]")
        assert "night 1 ends now: 0 running jobs saved" in first.shown
        first.type(answer)
        assert first.ends() == 2 and "nothing was done" in first.shown
    assert ask("nights", "show")["ended_early"] is None
    second = terminal("end", "--reason", "it is morning")
    second.reads("Go on? [y/N]")
    second.type("y\n")
    assert second.ends() == 0
    assert ask("nights", "show")["ended_early"]["reason"] == "it is morning"


def test_ctrl_c_at_the_question_does_nothing(
    terminal: Callable[..., Terminal], ask: Ask, work: Night
) -> None:
    work.start()
    asked = terminal("cancel")
    asked.reads("Go on? [y/N]")
    asked.type("\x03")
    assert asked.ends() == 130
    assert asked.shown.rstrip().endswith("nighttrain: interrupted") and "Traceback" not in asked.shown
    assert ask("nights", "show")["state"] == "running"


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("pause", "--reason", "lunch"), "night 1 is paused"),
        (("resume",), "night 1 is not paused"),
        (("jobs", "list"), "BTCUSDT_15m_H1"),
        (("jobs", "show", "BTCUSDT_15m_H1"), "BTCUSDT_15m_H1 waits"),
        (("jobs", "why", "BTCUSDT_15m_H1"), "BTCUSDT_15m_H1 waits"),
        (("jobs", "next", "BTCUSDT_15m_H1"), "goes next"),
        (("jobs", "cancel", "BTCUSDT_15m_H1"), "is cancelled"),
        (("jobs", "retry", "--failed"), "no job of night 1 has failed"),
        (("nights", "list"), "running"),
        (("nights", "show"), "8 waiting"),
        (("nights", "audit"), "no operator has changed anything"),
        (("models", "list"), "no cell has a champion"),
        (("alerts",), "no alert"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_each_command_fits_the_terminal(
    terminal: Callable[..., Terminal], work: Night, words: tuple[str, ...], shown: str
) -> None:
    work.start()
    told = terminal(*words)
    assert told.ends() == 0
    assert shown in told.shown
    if words[-1] == "list":
        assert max(map(len, told.shown.splitlines())) <= COLUMNS
