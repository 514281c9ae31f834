"""The coordinator and the trainers as child processes: started, watched, restarted when they die, stopped.

This is for one machine what Docker's restart policy is for containers. Children run in sessions of their own,
so that a Ctrl-C in the terminal reaches only this process, which then stops them in order; and they hold the
read end of a pipe, so that they stop by themselves when this process is killed.
"""

from __future__ import annotations

import logging
import random
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from common.logs import message_of

LOG = logging.getLogger("nighttrain.launcher")

RESTART_BASE_SECONDS = 0.5
RESTART_CAP_SECONDS = 10.0
HEALTHY_SECONDS = 2.0
"""A process that lived so long did not die of its start: it is back at once."""
REFUSED = 2
"""The exit code of a process that needs something which only the user can correct."""
MOST_REFUSALS = 3
"""Who has refused to start so often in a row goes on refusing, until something is corrected."""
LAST_REFUSALS = 6
"""After so many one that is just being started once more is not waited for."""


@dataclass
class Child:
    """One child process that is kept alive until it is told to stop.

    `inherited` are descriptors that it gets besides its standard ones.
    `word` is the first line of its standard input: it comes with `tell`, and with each start after that.
    `began` is when the process was started, `is_at_work` whether it has shown since that it could.
    `refusals` counts how often in a row it could not, and ended with the code by which it asks for a
    correction; `refusal` is what it said then. `heard` is called with each line that it prints, by a thread.
    """

    name: str
    command: list[str]
    environment: dict[str, str]
    inherited: tuple[int, ...] = ()
    process: subprocess.Popen[str] | None = None
    starts: int = 0
    failures: int = 0
    refusals: int = 0
    refusal: str = ""
    is_at_work: bool = False
    began: datetime | None = None
    started_at: float = 0.0
    restart_at: float = 0.0
    word: str | None = None
    heard: Callable[[str], None] | None = None
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    _copier: threading.Thread | None = None

    def start(self) -> None:
        """Start the process and a thread that copies what it prints to the launcher's log."""
        self.process = subprocess.Popen(
            self.command,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            pass_fds=self.inherited,
            start_new_session=True,
        )
        self.starts += 1
        self.started_at = time.monotonic()
        self.is_at_work, self.began = False, datetime.now(UTC)
        self.log_start()
        self._copier = threading.Thread(target=self._copy_output, args=(self.process,), daemon=True)
        self._copier.start()
        if self.word is not None:
            self.tell(self.word)

    def shows_itself(self, when: datetime) -> None:
        """Take note that one of this name was seen at work; before the last start it was another process."""
        if self.began is not None and when >= self.began:
            self.is_at_work, self.refusals, self.refusal = True, 0, ""

    @property
    def goes_on_refusing(self) -> bool:
        """Whether it cannot start until something is corrected, as may have been before this last start."""
        return self.refusals >= (MOST_REFUSALS if self.exit_code is not None else LAST_REFUSALS)

    def log_start(self) -> None:
        """Write to the launcher's log as which process it runs."""
        if self.process is not None:
            LOG.info("%s started as process %d", self.name, self.process.pid)

    def tell(self, word: str) -> None:
        """Say what the process waits for; one that has died is told when it is started again."""
        self.word = word
        if self.process is None or self.process.stdin is None:
            return
        with suppress(OSError):
            self.process.stdin.write(f"{word}\n")
            self.process.stdin.flush()

    def _copy_output(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as output:
            for line in output:
                text = line.rstrip()
                if text:
                    self.last_lines.append(text)
                    LOG.info("%s: %s", self.name, text)
                    if self.heard is not None:
                        self.heard(text)

    @property
    def exit_code(self) -> int | None:
        """Exit code, negative for a signal; None while the process lives or before the first start."""
        return self.process.poll() if self.process else None

    @property
    def last_words(self) -> str:
        """The last line that the process or an earlier one of it printed, without its own name."""
        # A traceback, whose lines are indented, follows what it is of.
        lines = [line for line in self.last_lines if not line.startswith(" ")] or [*self.last_lines]
        return message_of(lines[-1].strip(), self.name).removeprefix(f"{self.name}: ") if lines else ""

    def said(self) -> str:
        """Return the last line that the process printed before it ended, without its own name."""
        if self._copier:
            self._copier.join(2.0)
        return self.last_words

    def keep_alive(self) -> bool:
        """Start a dead process again; return whether it was found dead just now.

        One that was healthy is started at once; one that died young, or refused, after a backoff that grows
        each time.
        """
        code, now = self.exit_code, time.monotonic()
        if code is None:
            return False
        if not self.restart_at:
            LOG.warning("%s ended unexpectedly (%s); starting it again", self.name, describe_exit(code))
            refused = code == REFUSED and not self.is_at_work
            self.refusals = self.refusals + 1 if refused else 0
            self.refusal = self.said() if refused else ""
            if now - self.started_at > HEALTHY_SECONDS and not refused:
                self.failures = 0
                self._start_again()
                return True
            self.failures += 1
            cap = min(RESTART_CAP_SECONDS, RESTART_BASE_SECONDS * 2 ** (self.failures - 1))
            self.restart_at = now + random.uniform(cap / 2, cap)
            return True
        if now >= self.restart_at:
            self._start_again()
        return False

    def _start_again(self) -> None:
        self.restart_at = 0.0
        self._close_input()
        self.start()

    def terminate(self) -> None:
        """Ask the process to stop: SIGTERM, and the end of its standard input."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self._close_input()

    def _close_input(self) -> None:
        if self.process and self.process.stdin:
            # What a dead process was told and did not read cannot be delivered any more.
            with suppress(OSError):
                self.process.stdin.close()

    def wait(self, deadline: float) -> None:
        """Wait for the end until `deadline` (monotonic seconds), then kill."""
        if self.process is None:
            return
        # The library's wait that has a bound looks again and again, up to twenty times a second.
        waiting = threading.Thread(target=self.process.wait, daemon=True)
        waiting.start()
        waiting.join(max(0.0, deadline - time.monotonic()))
        if waiting.is_alive():
            LOG.error("%s did not stop in time and is killed", self.name)
            self.process.kill()
            waiting.join()
        if self._copier:
            self._copier.join(1.0)


def stop(children: list[Child], seconds: float) -> None:
    """Stop the children together, and kill those that are not gone after `seconds`."""
    for child in children:
        child.terminate()
    deadline = time.monotonic() + seconds
    for child in children:
        child.wait(deadline)


def describe_exit(code: int) -> str:
    """Say an exit code in words: ``exit code 1`` or ``SIGKILL``."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
