"""``nighttrain start``: begin the night of a running coordinator, or resume it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import URL, Debug, Url

if TYPE_CHECKING:
    from common.client.client import OperatorClient
    from common.protocol.runs import RunView
    from common.protocol.status import NightView
    from common.settings.night import NightSettings

TOKEN_FILE = Path("/run/secrets/nighttrain_token")
CONFIG = Path("/etc/nighttrain/night_training.yaml")

EPILOG = """\b
examples:
  docker compose exec coordinator nighttrain start          in the container; the defaults fit
  nighttrain start --url http://127.0.0.1:5000 --token-file secrets/nighttrain_token \\
      --config deploy/night_training.yaml                   on the machine that the containers run on

The grid is that of --config, and BT_NIGHT_* overrides it: give the same file that the coordinator has. An
unfinished night of the same grid is resumed.

\b
exit codes:
  0  a night was started or resumed
  1  the coordinator does not answer, or does not accept the token
  2  a mistake in options or configuration, or a night of another grid is unfinished
"""


def start(
    url: Url = URL,
    token_file: Annotated[Path, typer.Option(metavar="FILE", help="the coordinator's token")] = TOKEN_FILE,
    config: Annotated[Path, typer.Option(metavar="FILE", help="the coordinator's configuration")] = CONFIG,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="cancel an unfinished night and start over instead of resuming it")
    ] = False,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="folder of candles, for symbols or timeframes: all")
    ] = None,
    debug: Debug = False,
) -> int:
    """Start the night of a running coordinator, or resume it."""
    from common.client.client import OperatorClient
    from common.settings.night import load

    del debug
    settings = load(config)
    if settings.all_symbols or settings.all_timeframes:
        settings = _of_folder(settings, data)
    with OperatorClient(url, token_file) as client:
        print(begin(client, settings, fresh))
    return 0


def _of_folder(settings: NightSettings, data: Path | None) -> NightSettings:
    from cli.local.folder_contents import whole_folder
    from common.errors import ConfigurationError

    if data is None:
        problem = "symbols or timeframes are all, and a coordinator sees no candles"
        raise ConfigurationError(problem, "start from where the candles are, with --data DIR, or name them")
    if not data.is_dir():
        raise ConfigurationError(f"{data}: no such folder here", "start from where the candles are")
    expanded, said = whole_folder(settings, data)
    print(said)
    return expanded


def begin(client: OperatorClient, settings: NightSettings, fresh: bool) -> str:
    """Begin the night of these settings or resume it, and return in one line what was done.

    Raises
    ------
    ConfigurationError
        Training is switched off.
    ConflictError
        A night of another grid is unfinished.
    """
    from common.errors import ConfigurationError
    from common.protocol.runs import RunRequest
    from common.settings.grid import GridConfig

    if not settings.training:
        problem = "training is false: night training is switched off"
        raise ConfigurationError(problem, "set BT_NIGHT_TRAINING=true")
    run, made = client.create_run(RunRequest(config=GridConfig(**settings.grid_config()), fresh=fresh))
    return f"{_words(run, made)}{_closed(client.status().night)}"


def _words(run: RunView, made: bool) -> str:
    grid = f"{run.training.total} cells of {len(run.config.symbols)} symbols"
    if made:
        return f"night {run.id} started: {grid}"
    return f"night {run.id} resumed: {run.training.final} of {grid} are done"


def _closed(night: NightView) -> str:
    return f"; the window opens at {night.opens:%Y-%m-%d %H:%M} UTC" if night.opens is not None else ""
