"""A whole night on this machine, from start to report.

One pass: settings -> out folder -> candles -> coordinator -> run -> trainers -> watch -> results.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from cli.local.candles_at_hand import candles_for
from cli.local.fit import too_many
from cli.local.folder_contents import assert_mostly_there, whole_folder
from cli.local.interrupt import EXIT_INTERRUPTED, Interrupt, interruptible
from cli.local.machine import this_machine, trainer_count
from cli.local.origin import assert_same_candles
from cli.local.processes import Child, stop
from cli.local.staff import client_of, coordinator_of, trainers_of
from cli.local.supervision import Supervision
from cli.local.watch import Watch
from cli.screen.progress import display_for
from cli.screen.rich_table import print_summary
from common import logs
from common.errors import ConfigurationError
from common.out_folder import OutFolder, held
from common.protocol.results import Results
from common.protocol.runs import RunRequest, RunView
from common.settings.grid import GridConfig
from common.settings.night import NightSettings, load_with_origins

DEFAULT_CONFIG = Path("deploy/night_training.yaml")
TRAINER_STOP_SECONDS = 12.0
COORDINATOR_STOP_SECONDS = 10.0


@dataclass(frozen=True)
class NightOptions:
    """What the command line asks for.

    Parameters
    ----------
    config : Path or None
        The configuration; None takes that of the repository, or the defaults where there is none.
    data : Path or None
        Folder with candles; None takes that of the configuration, or a sample where it has none.
    out : Path
        Where everything is written.
    settings : dict
        Values that win over those of the configuration, by dotted key.
    fresh : bool
        Start over instead of resuming an unfinished night.
    as_json : bool
        Print the results document to stdout, and all else to stderr.
    debug : bool
        Write debug messages to the logs.
    """

    config: Path | None
    data: Path | None
    out: Path
    settings: dict[str, Any]
    fresh: bool
    as_json: bool
    debug: bool


def train(options: NightOptions) -> int:
    """Train a night and return the exit code.

    Raises
    ------
    NighttrainError
        Anything that stands in the way, with what to do about it.
    """
    settings, origins = _settings(options)
    # Paths and messages may have brackets and colons in them: they are no markup.
    width = None if sys.stdout.isatty() else 120
    console = Console(stderr=options.as_json, width=width, markup=False, emoji=False)
    impossible, many = too_many(trainer_count(settings), settings, this_machine())
    if impossible:
        raise ConfigurationError(many, "ask for fewer with --trainers, or for auto")
    if many and settings.num_workers != "auto":
        console.print(f"warning: {many}", soft_wrap=True)
    with held(options.out) as out, interruptible() as interrupt:
        logs.configure(out.launcher_log, options.debug, "nighttrain.launcher", stderr=False)
        try:
            data = candles_for(settings, options.data, out, console, interrupt)
            settings = _of_folder(settings, data, out, options, console)
            document, path = _night(settings, origins, out, data, options, interrupt, console)
        except KeyboardInterrupt:
            console.print("interrupted; progress is saved: run the same command to continue", soft_wrap=True)
            return EXIT_INTERRUPTED
        if options.as_json:
            sys.stdout.write(document.model_dump_json(by_alias=True, indent=2) + "\n")
        print_summary(document, console)
        where = f"results {path}\nmodels  {out.models}\nlogs    {out.logs}"
        console.print(where, highlight=False, soft_wrap=True)
        return 0 if document.totals.succeeded == document.totals.jobs else 1


def _of_folder(
    settings: NightSettings, data: Path, out: OutFolder, options: NightOptions, console: Console
) -> NightSettings:
    if data == out.sample:
        return settings
    if settings.all_symbols or settings.all_timeframes:
        settings, said = whole_folder(settings, data)
        console.print(said, soft_wrap=True)
    elif "symbols" not in options.settings:
        assert_mostly_there(settings, data)
    return settings


def _settings(options: NightOptions) -> tuple[NightSettings, dict[str, str]]:
    config = options.config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    settings, origins = load_with_origins(config, options.settings)
    if not settings.training:
        by_environment = os.environ.get("BT_NIGHT_TRAINING")
        hint = "unset BT_NIGHT_TRAINING" if by_environment else f"set training: true in {config}"
        raise ConfigurationError("training is false: night training is switched off", hint)
    return settings, {one.key: one.source for one in origins}


def _night(
    settings: NightSettings,
    origins: dict[str, str],
    out: OutFolder,
    data: Path,
    options: NightOptions,
    interrupt: Interrupt,
    console: Console,
) -> tuple[Results, Path]:
    coordinator = coordinator_of(settings, out, options.debug, origins)
    trainers: list[Child] = []
    display = display_for(console)
    supervision = Supervision(interrupt, display.say)
    supervision.employ(coordinator)
    try:
        client = client_of(coordinator, out, interrupt)
        request = RunRequest(config=GridConfig(**settings.grid_config()), fresh=options.fresh)
        run_view, made = supervision.ask(lambda: client.create_run(request))
        assert_same_candles(out, run_view.id, made, data)
        display.say(_beginning(run_view, made, trainer_count(settings), client.url, out))
        trainers = trainers_of(settings, out, data, client.url, options.debug)
        supervision.employ(*trainers)
        patience = settings.retry.storage_seconds
        watch = Watch(client, run_view.id, display, patience, lambda: coordinator.last_words)
        supervision.until(watch.look)
        results = supervision.ask(lambda: client.results(run_view.id))
        return results, Path(supervision.ask(lambda: client.run(run_view.id)).results_path)
    except KeyboardInterrupt:
        display.say("stopping: running jobs save their finished folds")
        raise
    finally:
        stop(trainers, TRAINER_STOP_SECONDS)
        stop([coordinator], COORDINATOR_STOP_SECONDS)
        display.close()


def _beginning(run_view: RunView, made: bool, trainers: int, url: str, out: OutFolder) -> str:
    training = run_view.training
    what = f"night {run_view.id}: {training.total} cells"
    if not made:
        what = f"night {run_view.id} resumes with {training.final} of {training.total} cells done"
    if run_view.paused is not None:
        what += f"; it is PAUSED {run_view.paused.words}: nighttrain resume --out {out.root} lets it go on"
    return f"{what}; {trainers} trainer(s); watch it at {url}/"
