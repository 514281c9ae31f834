"""A real coordinator as a process of its own, for tests of the process and for benchmarks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from common.out_folder import OutFolder
from common.protocol.address import Address

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "deploy" / "night_training.yaml"
PATIENCE_SECONDS = 60.0
Answer = TypeVar("Answer")


class Process:
    """A real coordinator over an out folder."""

    def __init__(
        self, out: Path, *options: object, port: int = 0, config: Path = CONFIG, instance: str = ""
    ) -> None:
        self.out = out
        self.address = OutFolder(out, instance).address
        if instance:
            options = ("--instance", instance, *options)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BT_NIGHT_")}
        command = [sys.executable, "-m", "coordinator", "--config", config, "--out", out, "--port", str(port)]
        self.process = subprocess.Popen(
            [*command, *options],
            cwd=ROOT,
            env=kept,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ready(self) -> Address:
        """Wait until it has said where it listens."""
        path = self.address

        def announced() -> Address | None:
            assert self.process.poll() is None, self.process.communicate()
            address = Address.model_validate_json(path.read_bytes()) if path.exists() else None
            return address if address is not None and address.pid == self.process.pid else None

        return eventually(announced)

    def ended(self) -> tuple[int, str, str]:
        """Wait for the end, and return the exit code and what was printed."""
        out, err = self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode, out, err

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def eventually(ask: Callable[[], Answer | None]) -> Answer:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (answer := ask()) is None:
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.02)
    return answer
