"""``nighttrain run``: a whole night on this machine, from start to report.

One pass: settings -> out folder -> candles -> coordinator -> run -> trainers -> watch -> results.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from cli.local.candles_at_hand import candles_for
from cli.local.interrupt import EXIT_INTERRUPTED, Interrupt, interruptible
from cli.local.processes import Child, stop
from cli.local.staff import client_of, coordinator_of, trainer_count, trainers_of
from cli.local.watch import Watch
from cli.screen.progress import Display, display_for
from cli.screen.summary import print_summary
from common import logs
from common.errors import ConfigurationError
from common.out_folder import OutFolder, held
from common.protocol.results import Results
from common.protocol.runs import RunRequest, RunView
from common.settings.grid import GridConfig
from common.settings.night import NightSettings, load

DEFAULT_CONFIG = Path("deploy/night_training.yaml")
POLL_SECONDS = 0.25
TRAINER_STOP_SECONDS = 12.0
COORDINATOR_STOP_SECONDS = 10.0


def run(arguments: argparse.Namespace) -> int:
    """Train a night and return the exit code.

    Raises
    ------
    NighttrainError
        Anything that stands in the way, with what to do about it.
    """
    settings = _settings(arguments)
    # Paths and messages may have brackets and colons in them: they are no markup.
    width = None if sys.stdout.isatty() else 120
    console = Console(stderr=arguments.json, width=width, markup=False, emoji=False)
    with held(arguments.out) as out, interruptible() as interrupt:
        log = out.logs / "night_training_launcher.log"
        logs.configure(log, arguments.debug, "nighttrain.launcher", stderr=False)
        try:
            data = candles_for(settings, arguments.data, out, console, interrupt)
            document, path = _night(settings, out, data, arguments, interrupt, console)
        except KeyboardInterrupt:
            words = "interrupted; progress is saved, the same command goes on from here"
            console.print(words, soft_wrap=True)
            return EXIT_INTERRUPTED
        if arguments.json:
            sys.stdout.write(document.model_dump_json(by_alias=True, indent=2) + "\n")
        print_summary(document, console)
        where = f"results {path}\nmodels  {out.models}\nlogs    {out.logs}"
        console.print(where, highlight=False, soft_wrap=True)
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
        by_environment = os.environ.get("BT_NIGHT_TRAINING")
        hint = "unset BT_NIGHT_TRAINING" if by_environment else f"set training: true in {config}"
        raise ConfigurationError("training is false: night training is switched off", hint)
    return settings


def _list(values: list[str] | None) -> list[str] | None:
    return None if values is None else [part for value in values for part in value.split(",") if part]


def _night(
    settings: NightSettings,
    out: OutFolder,
    data: Path,
    arguments: argparse.Namespace,
    interrupt: Interrupt,
    console: Console,
) -> tuple[Results, Path]:
    coordinator = coordinator_of(settings, out, arguments.debug)
    trainers: list[Child] = []
    display = display_for(console)
    coordinator.start()
    try:
        client = client_of(coordinator, out, interrupt)
        request = RunRequest(config=GridConfig(**settings.grid_config()), fresh=arguments.fresh)
        run_view, made = client.create_run(request)
        display.say(_beginning(run_view, made, trainer_count(settings), client.url))
        trainers = trainers_of(settings, out, data, client.url, arguments.debug)
        for trainer in trainers:
            trainer.start()
        patience = settings.retry.storage_seconds
        watch = Watch(client, run_view.id, display, patience, lambda: coordinator.last_words)
        _see_through(watch, [coordinator, *trainers], interrupt, display)
        return client.results(run_view.id), Path(client.run(run_view.id).results_path)
    except KeyboardInterrupt:
        display.say("stopping: running jobs save their folds")
        raise
    finally:
        stop(trainers, TRAINER_STOP_SECONDS)
        stop([coordinator], COORDINATOR_STOP_SECONDS)
        display.close()


def _beginning(run_view: RunView, made: bool, trainers: int, url: str) -> str:
    training = run_view.training
    what = f"night {run_view.id}: {training.total} cells"
    if not made:
        what = f"night {run_view.id} resumes with {training.final} of {training.total} cells done"
    return f"{what}; {trainers} trainer(s); status at {url}/api/status"


def _see_through(watch: Watch, children: list[Child], interrupt: Interrupt, display: Display) -> None:
    """Keep the children alive until the night is done.

    Raises
    ------
    KeyboardInterrupt
        A signal came.
    """
    while not watch.look():
        interrupt.heed()
        for child in children:
            if child.keep_alive():
                display.say(f"{child.name} ended unexpectedly and is started again")
        time.sleep(POLL_SECONDS)
