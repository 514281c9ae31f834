"""A real coordinator and real trainers as processes, for the tests of what happens between them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from common.client.client import OperatorClient
from common.errors import ConflictError, NighttrainError
from common.protocol.job_views import JobDetail
from common.protocol.jobs import JobKind
from common.protocol.runs import RunRequest, RunState
from common.settings.grid import GridConfig
from common.settings.night import NightSettings
from tests.trainer.targets import FOLDS

ROOT = Path(__file__).parents[2]
WITH_TARGET = "tests.trainer.agent_of_target"
QUICK: dict[str, Any] = {
    "symbols": ["BTCUSDT"],
    "timeframes": ["1h"],
    "horizons": [1],
    "n_splits": FOLDS,
    "lease": {"seconds": 1.5},
    "retry": {"backoff_base": 0.05, "backoff_cap": 0.05},
}

T = TypeVar("T")


def eventually(fact: Callable[[], T | None], seconds: float = 60.0) -> T:
    """Wait until something is true, and return it."""
    give_up = time.monotonic() + seconds
    while True:
        try:
            if found := fact():
                return found
            error: NighttrainError | None = None
        except NighttrainError as raised:
            error = raised
        assert time.monotonic() < give_up, f"it did not come true in {seconds} s ({error})"
        time.sleep(0.08)


class Process:
    """A process whose output is a file, so that nothing can block it."""

    def __init__(self, command: list[str], log: Path, environment: dict[str, str] | None = None) -> None:
        self.log = log
        with log.open("ab") as output:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | (environment or {}),
            )

    @property
    def said(self) -> str:
        return self.log.read_text()

    def signal(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def end(self, seconds: float = 20.0) -> tuple[int, float]:
        """Wait for the end; return the exit code and how long it took."""
        began = time.monotonic()
        return self.popen.wait(seconds), time.monotonic() - began

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()
        assert self.popen.stdin is not None
        self.popen.stdin.close()


class Coordinator:
    """A coordinator process, its folder and a client."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder, self.out = folder, folder / "out"
        self.settings = NightSettings(**(QUICK | settings))
        self.port = 0
        self.client: OperatorClient | None = None
        self.process: Process | None = None

    def start(self, **changes: Any) -> "Coordinator":
        """Start it, at the port that it had before if it did; it is ready afterwards."""
        self.settings = NightSettings(**(self.settings.model_dump(mode="json") | changes))
        path = self.folder / "settings.json"
        path.write_text(json.dumps(self.settings.model_dump(mode="json")))
        address = self.out / "coordinator.json"
        address.unlink(missing_ok=True)
        command = [
            "coordinator",
            "--settings-json",
            str(path),
            "--out",
            str(self.out),
            "--port",
            str(self.port),
        ]
        process = Process([*command, "--exit-with-parent"], self.folder / "coordinator.log")
        self.process = process
        eventually(lambda: address.exists() or process.popen.poll() is not None)
        assert process.popen.poll() is None, process.said
        self.port = int(json.loads(address.read_text())["url"].rpartition(":")[2])
        if self.client is None:
            self.client = OperatorClient(self.url, self.out / "token")
        return self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()

    def close(self) -> None:
        if self.client is not None:
            self.client.close()
        self.kill()


class RealNight:
    """A run of one cell at a coordinator, and its trainers."""

    def __init__(self, coordinator: Coordinator, folder: Path) -> None:
        self.coordinator, self.folder = coordinator, folder
        self.data = folder / "data"
        self.data.mkdir()
        self.run = 0
        self.trainers: list[Process] = []

    @property
    def operator(self) -> OperatorClient:
        assert self.coordinator.client is not None
        return self.coordinator.client

    def begin(self, retrain: bool = True) -> "RealNight":
        """Begin it, as soon as the night that another test left is over; it reuses nothing of that one."""
        config = GridConfig(**self.coordinator.settings.grid_config())
        request = RunRequest(config=config, fresh=True, retrain=retrain)

        def begun() -> int:
            with suppress(ConflictError):
                return self.operator.create_run(request)[0].id
            return 0

        self.run = eventually(begun)
        return self

    def start_trainer(
        self, target: str = "", *options: str, name: str = "t1", token: Path | None = None
    ) -> Process:
        """Start a trainer, whose children run a target of the tests unless none is named."""
        token = token or self.coordinator.out / "trainer_token"
        command = [WITH_TARGET, target] if target else ["trainer"]
        command += ["--coordinator", self.coordinator.url, "--token-file", str(token), "--name", name]
        command += ["--data", str(self.data), "--cache", str(self.folder / "cache"), *options]
        self.trainers.append(Process(command, self.folder / f"{name}.log"))
        return self.trainers[-1]

    def is_done(self) -> bool:
        return self.operator.run(self.run).state is RunState.DONE

    def cell(self) -> JobDetail:
        """The one training job."""
        (job,) = self.operator.jobs(run=self.run, kind=JobKind.TRAINING).jobs
        return self.operator.job(job.id)

    def saved_folds(self) -> int:
        checkpoint = self.cell().checkpoint
        return len(checkpoint.folds) if checkpoint else 0

    def child_pid(self) -> int:
        """The process id that the target `linger` left."""
        found = eventually(lambda: list(self.data.glob("child-*")))
        return int(found[-1].name.partition("-")[2])

    def close(self) -> None:
        for trainer in self.trainers:
            if trainer.popen.poll() is None:
                trainer.signal(signal.SIGCONT)
            trainer.kill()
