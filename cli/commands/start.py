"""Start the night of a running coordinator, or go on with it: ``python3 -m cli.commands.start``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from common.client.client import OperatorClient
from common.errors import ConfigurationError, NighttrainError
from common.protocol.runs import RunRequest, RunView
from common.protocol.status import NightView
from common.settings.grid import GridConfig
from common.settings.night import NightSettings, load

URL = "http://127.0.0.1:5000"
TOKEN_FILE = Path("/run/secrets/nighttrain_token")
CONFIG = Path("/etc/nighttrain/night_training.yaml")

EPILOG = """\
The defaults are those of the container. The grid is that of --config, as BT_NIGHT_* overrides it: give it
the file of the coordinator itself. An unfinished night of the same grid is gone on with.

exit codes:
  0  a night was begun, or goes on
  1  the coordinator does not answer, or does not take the token
  2  a mistake in options or configuration, or a night of another grid is unfinished
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask for the night, say in one line what came of it, and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        settings = load(options.config)
        with OperatorClient(options.url, options.token_file) as client:
            print(begin(client, settings, options.fresh))
    except NighttrainError as error:
        print(f"cli.commands.start: {error}", file=sys.stderr)
        return error.kind.exit_code
    return 0


def begin(client: OperatorClient, settings: NightSettings, fresh: bool) -> str:
    """Begin the night of these settings or go on with it, and return in one line what was done.

    Raises
    ------
    ConfigurationError
        Training is switched off.
    ConflictError
        A night of another grid is unfinished.
    """
    if not settings.training:
        problem = "training is false: night training is switched off"
        raise ConfigurationError(problem, "set BT_NIGHT_TRAINING=true")
    run, made = client.create_run(RunRequest(config=GridConfig(**settings.grid_config()), fresh=fresh))
    return f"{_words(run, made)}{_closed(client.status().night)}"


def _words(run: RunView, made: bool) -> str:
    grid = f"{run.training.total} cells of {len(run.config.symbols)} symbols"
    if made:
        return f"night {run.id} has begun: {grid}"
    return f"night {run.id} goes on: {run.training.final} of {grid} are over"


def _closed(night: NightView) -> str:
    return f"; the window opens at {night.opens:%Y-%m-%d %H:%M} UTC" if night.opens is not None else ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m cli.commands.start",
        description="Starts the night of a running coordinator, or goes on with it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--url", default=URL, help=f"where the coordinator listens ({URL})")
    parser.add_argument(
        "--token-file", type=Path, default=TOKEN_FILE, metavar="FILE", help=f"its token ({TOKEN_FILE})"
    )
    parser.add_argument(
        "--config", type=Path, default=CONFIG, metavar="FILE", help=f"its configuration ({CONFIG})"
    )
    parser.add_argument(
        "--fresh", action="store_true", help="cancel an unfinished night and start over instead of going on"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
