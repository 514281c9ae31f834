"""``nighttrain start``: begin the night of a running coordinator, or resume it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.arguments import OUT
from cli.command import Candles, Debug, Json, Retrain
from cli.orders import AnyUrl, TokenFile, client_of

if TYPE_CHECKING:
    from common.client.client import OperatorClient
    from common.objects.address import Place
    from common.protocol.runs import RunView
    from common.protocol.status import NightView
    from common.settings.night import NightSettings

CONFIG = Path("/etc/nighttrain/night_training.yaml")
"""Where it is in a container; elsewhere that of the checkout is taken."""

EPILOG = """\b
examples:
  nighttrain start                                          the coordinator on this machine is found by itself
  docker compose exec coordinator nighttrain start          in the container
  nighttrain start --url http://far:5000 --token-file token --config deploy/night_training.yaml
  nighttrain start --check-requirements                     only say whether all is there, and what to do
  nighttrain start --estimate                               only say how long it will take
  nighttrain start --port 5001 --no-dashboard               a coordinator at another port of this machine

Found are a night of `nighttrain run` in --out, and the containers of `make up` in this folder. The grid is
that of --config, and BT_NIGHT_* overrides it: give the same file that the coordinator has. An unfinished
night of the same grid is resumed.

\b
exit codes:
  0  a night was started or resumed
  1  no coordinator is found, or it does not answer, or does not accept the token; or a requirement failed
  2  a mistake in options or configuration, or a night of another grid is unfinished
"""


def start(
    url: AnyUrl = None,
    port: Annotated[
        int | None,
        typer.Option(metavar="PORT", min=1, max=65535, help="port of a coordinator on this machine"),
    ] = None,
    token_file: TokenFile = None,
    config: Annotated[Path, typer.Option(metavar="FILE", help="the coordinator's configuration")] = CONFIG,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="cancel an unfinished night and begin anew; see --retrain")
    ] = False,
    retrain: Retrain = False,
    data: Candles = None,
    dashboard: Annotated[
        bool, typer.Option("--dashboard/--no-dashboard", help="say where the night can be watched")
    ] = True,
    check_requirements: Annotated[
        bool, typer.Option("--check-requirements", help="only check all that a night needs; start nothing")
    ] = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="only estimate time, memory and disk; start nothing")
    ] = False,
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="out folder of a night on this machine, to find it by; --check-requirements and --estimate "
            "look at it too",
        ),
    ] = OUT,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Start the night of a running coordinator, or resume it."""
    from cli.commands.estimate import report
    from common.settings.night import load

    del debug
    if port is not None:
        url = f"http://127.0.0.1:{port}"
    config = _configured(config)
    if check_requirements:
        return _check(url, token_file, config, data, out, as_json)
    settings = load(config)
    if estimate:
        return report(settings, data, out, as_json)
    said = ""
    if settings.all_symbols or settings.all_timeframes:
        settings, said = _of_folder(settings, data)
    with client_of(url, token_file, out) as client:
        run, made, words = begin(client, settings, fresh, retrain)
        where = client.url
    if as_json:
        print(json.dumps({"run": run.model_dump(mode="json"), "started": made, "url": where}, indent=2))
        return 0
    for line in (said, words, f"dashboard {where}/" if dashboard else ""):
        if line:
            print(line)
    return 0


def _configured(config: Path) -> Path:
    from cli.commands.config import CONFIG as CHECKOUT

    return CHECKOUT if config == CONFIG and not CONFIG.exists() and CHECKOUT.exists() else config


def _check(
    url: str | None, token_file: Path | None, config: Path, data: Place | None, out: Path, as_json: bool
) -> int:
    from cli.commands.check import report
    from cli.local.coordinator_check import wanted
    from cli.local.requirements import Looked
    from cli.local.stack_check import is_meant

    place = wanted(url, token_file, out, needed=True)
    return report(Looked(config, data, out, place, is_meant(Path.cwd())), as_json)


def _of_folder(settings: NightSettings, data: Place | None) -> tuple[NightSettings, str]:
    from cli.local.folder_contents import whole_folder
    from common.errors import ConfigurationError

    if data is None:
        problem = "symbols or timeframes are all, and a coordinator sees no candles"
        raise ConfigurationError(problem, "start from where the candles are, with --data DIR, or name them")
    if isinstance(data, Path) and not data.is_dir():
        raise ConfigurationError(f"{data}: no such folder here", "start from where the candles are")
    return whole_folder(settings, data)


def begin(
    client: OperatorClient, settings: NightSettings, fresh: bool, retrain: bool = False
) -> tuple[RunView, bool, str]:
    """Begin the night of these settings or resume it.

    Returns
    -------
    run : RunView
        The night.
    made : bool
        Whether it was begun now.
    words : str
        What was done, in one line.

    Raises
    ------
    ConfigurationError
        Training is switched off.
    ConflictError
        A night of another grid is unfinished.
    """
    from cli.screen.nights import RETRAIN_LATER
    from common.errors import ConfigurationError
    from common.protocol.runs import RunRequest
    from common.settings.grid import GridConfig

    if not settings.training:
        problem = "training is false: night training is switched off"
        raise ConfigurationError(problem, "set BT_NIGHT_TRAINING=true")
    run, made = client.create_run(
        RunRequest(config=GridConfig(**settings.grid_config()), fresh=fresh, retrain=retrain)
    )
    later = f"; {RETRAIN_LATER}" if retrain and not run.retrain else ""
    return run, made, f"{_words(run, made)}{later}{_closed(client.status().night)}"


def _words(run: RunView, made: bool) -> str:
    symbols = len(run.config.symbols)
    grid = f"{run.training.total} cells of {symbols} symbol{'' if symbols == 1 else 's'}"
    if made:
        return f"night {run.id} started: {grid}"
    paused = f"; it is paused {run.paused.words}: nighttrain resume lets it go on" if run.paused else ""
    return f"night {run.id} resumed: {run.training.final} of {grid} are done{paused}"


def _closed(night: NightView) -> str:
    return f"; the window opens at {night.opens:%Y-%m-%d %H:%M} UTC" if night.opens is not None else ""
