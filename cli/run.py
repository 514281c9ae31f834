"""``nighttrain run``: a whole night on this machine, from start to report.

One pass: settings -> out folder -> candles -> coordinator -> run -> trainers -> watch -> results.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from pydantic import ValidationError
from rich.console import Console

from cli.candles_at_hand import candles_for
from cli.out_folder import OutFolder, held
from cli.processes import Child, stop
from cli.progress import Display, display_for
from cli.summary import print_summary
from cli.watch import Watch
from common import host, logs
from common.client import OperatorClient
from common.errors import ConfigurationError, InternalError, UnavailableError
from common.results import Results
from common.settings import NightSettings, load
from common.status import Address
from common.views import GridConfig, RunRequest, RunView
from coordinator.listener import listen

LOG = logging.getLogger("nighttrain.launcher")

DEFAULT_CONFIG = Path("deploy/night_training.yaml")
POLL_SECONDS = 0.25
READY_SECONDS = 60.0
TRAINER_STOP_SECONDS = 12.0
COORDINATOR_STOP_SECONDS = 10.0

EXIT_INTERRUPTED = 130


@dataclass
class Interrupt:
    """Whether a signal asked the night to stop."""

    signals: list[int] = field(default_factory=list)

    @property
    def asked(self) -> bool:
        """True from the first SIGINT, SIGTERM or SIGHUP on."""
        return bool(self.signals)

    def note(self, number: int, frame: FrameType | None) -> None:
        """Signal handler; the second signal ends the process at once, and the children with it."""
        del frame
        self.signals.append(number)
        if len(self.signals) > 1:
            os._exit(EXIT_INTERRUPTED)


def run(arguments: argparse.Namespace) -> int:
    """Train a night and return the exit code.

    Raises
    ------
    NighttrainError
        Anything that stands in the way, with what to do about it.
    """
    settings = _settings(arguments)
    console = Console(stderr=arguments.json, width=None if sys.stdout.isatty() else 120)
    with held(arguments.out) as out, _interruptible() as interrupt:
        logs.configure(
            out.logs / "night_training_launcher.log", arguments.debug, "nighttrain.launcher", stderr=False
        )
        data = candles_for(settings, arguments.data, out, console)
        display = display_for(console)
        try:
            results = _night(settings, out, data, arguments, interrupt, display)
        finally:
            display.close()
        if results is None:
            console.print(
                "interrupted; progress is saved, the same command goes on from here", soft_wrap=True
            )
            return EXIT_INTERRUPTED
        document, path = results
        if arguments.json:
            sys.stdout.write(document.model_dump_json(by_alias=True, indent=2) + "\n")
        print_summary(document, console)
        console.print(
            f"results {path}\nmodels  {out.models}\nlogs    {out.logs}", highlight=False, soft_wrap=True
        )
        return 0 if document.totals.succeeded == document.totals.jobs else 1


def _settings(arguments: argparse.Namespace) -> NightSettings:
    config: Path | None = arguments.config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    given: dict[str, Any] = {
        "num_workers": arguments.trainers,
        "symbols": _list(arguments.symbols),
        "timeframes": _list(arguments.timeframes),
        "horizons": _list(arguments.horizons),
        "dashboard.port": arguments.port,
    }
    settings = load(config, {key: value for key, value in given.items() if value is not None})
    if not settings.training:
        raise ConfigurationError(
            "training is false: night training is switched off", "unset BT_NIGHT_TRAINING"
        )
    return settings


def _list(values: list[str] | None) -> list[str] | None:
    return None if values is None else [part for value in values for part in value.split(",") if part]


@contextmanager
def _interruptible() -> Iterator[Interrupt]:
    interrupt = Interrupt()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt.note) for number in numbers}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _night(
    settings: NightSettings,
    out: OutFolder,
    data: Path,
    arguments: argparse.Namespace,
    interrupt: Interrupt,
    display: Display,
) -> tuple[Results, Path] | None:
    coordinator = _coordinator(settings, out, arguments.debug)
    trainers: list[Child] = []
    coordinator.child.start()
    try:
        client = _ready(coordinator.child, out, interrupt)
        if client is None:
            return None
        url = client.url
        request = RunRequest(config=GridConfig(**settings.grid_config()), fresh=arguments.fresh)
        run_view = client.create_run(request)
        _say_start(display, run_view, url, settings)
        trainers = _trainers(settings, out, data, url, arguments.debug)
        for trainer in trainers:
            trainer.start()
        watch = Watch(client, run_view.id, display, settings.retry.storage_seconds)
        if not _watch(watch, [coordinator.child, *trainers], interrupt, display):
            display.say("stopping: running jobs save their folds")
            return None
        path = Path(client.run(run_view.id).results_path)
        return client.results(run_view.id), path
    finally:
        stop(trainers, TRAINER_STOP_SECONDS)
        stop([coordinator.child], COORDINATOR_STOP_SECONDS)


@dataclass(frozen=True)
class _Coordinator:
    child: Child
    port: int


def _coordinator(settings: NightSettings, out: OutFolder, debug: bool) -> _Coordinator:
    port = settings.dashboard.port if settings.dashboard.enabled else _free_port(settings.dashboard.host)
    # This command begins the night itself: the coordinator shall begin none by the schedule.
    document = settings.model_dump(mode="json") | {"training": False}
    out.settings.write_text(json.dumps(document, indent=2), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "coordinator",
        "--settings-json",
        str(out.settings),
        "--out",
        str(out.root),
    ]
    command += ["--host", settings.dashboard.host, "--port", str(port), "--exit-with-parent"]
    return _Coordinator(Child("coordinator", command + ["--debug"] * debug, dict(os.environ)), port)


def _free_port(address: str) -> int:
    # It must be known before the start: a coordinator that is started again has to be found where it was.
    with listen(address, 0) as probe:
        return int(probe.getsockname()[1])


def _ready(coordinator: Child, out: OutFolder, interrupt: Interrupt) -> OperatorClient | None:
    deadline = time.monotonic() + READY_SECONDS
    while not interrupt.asked:
        code = coordinator.exit_code
        if code is not None:
            said = coordinator.said()
            raise (ConfigurationError if code == 2 else InternalError)(
                said or f"the coordinator ended with {code}"
            )
        address = _announced(out, coordinator)
        if address is not None:
            return OperatorClient(address.url, out.token)
        if time.monotonic() > deadline:
            raise UnavailableError(
                f"the coordinator was not ready after {READY_SECONDS:.0f} s", f"see {out.logs}"
            )
        time.sleep(0.05)
    return None


def _announced(out: OutFolder, coordinator: Child) -> Address | None:
    """Return where this very coordinator listens: whoever else answers on its port is not asked anything."""
    try:
        address = Address.model_validate_json(out.address.read_bytes())
    except (OSError, ValidationError):
        return None
    return address if coordinator.process and address.pid == coordinator.process.pid else None


def _say_start(display: Display, run_view: RunView, url: str, settings: NightSettings) -> None:
    done = run_view.training.final
    how = (
        f"night {run_view.id} resumes with {done} of {run_view.training.total} cells done"
        if done
        else (f"night {run_view.id}: {run_view.training.total} cells")
    )
    display.say(f"{how}; {_worker_count(settings)} trainer(s); status at {url}/api/status")


def _worker_count(settings: NightSettings) -> int:
    if settings.num_workers != "auto":
        return settings.num_workers
    return host.usable_workers(
        host.usable_cores(),
        host.available_memory_bytes(),
        settings.memory_limit_bytes,
        settings.memory_threshold,
    )


def _trainers(settings: NightSettings, out: OutFolder, data: Path, url: str, debug: bool) -> list[Child]:
    children = []
    for number in range(1, _worker_count(settings) + 1):
        name = f"trainer-{number}"
        command = [sys.executable, "-m", "trainer", "--coordinator", url, "--token-file", str(out.token)]
        command += ["--name", name, "--data", str(data), "--cache", str(out.cache), "--logs", str(out.logs)]
        command += ["--memory-limit-gb", str(settings.max_memory_per_process), "--exit-with-parent"]
        children.append(Child(name, command + ["--debug"] * debug, dict(os.environ)))
    return children


def _watch(watch: Watch, children: list[Child], interrupt: Interrupt, display: Display) -> bool:
    """Keep the children alive until the night is done (True) or a signal came (False)."""
    while not interrupt.asked:
        for child in children:
            if child.keep_alive():
                display.say(f"{child.name} ended unexpectedly and is started again")
        if watch.look():
            return True
        time.sleep(POLL_SECONDS)
    return False
