"""``nighttrain autoscale``: as many containers of trainers as the coordinator finds best."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.command import Config, Debug, Json
from cli.orders import AnyUrl, TokenFile

EPILOG = """\b
examples:
  nighttrain autoscale                          for ever, looking every 15 s, until Ctrl-C
  nighttrain autoscale --min 2 --max 6 --interval 30
  nighttrain autoscale --once --dry-run         what it would do now
  nighttrain autoscale --once --json

Call it on the machine of the containers, in the folder where make up was called. It follows the number of
trainers that the coordinator lets work on this machine, which falls when memory is short or fewer would do
the same, and rises again. More are started at once; fewer are kept after 5 minutes (with --once: at once),
and a job on one that is stopped is given back with its saved folds. Later starts begin with the last number.
Where num_workers asks for a number it stands.

\b
exit codes:
  0    --once: the number is right now, or was so already
  1    Docker or the coordinator does not answer; without --once it is said, and tried again
  2    a mistake in options, or no stack was started in this folder
  130  interrupted; the containers go on
"""


def autoscale(
    least: Annotated[
        int, typer.Option("--min", metavar="N", min=1, max=256, help="at least so many trainers")
    ] = 1,
    most: Annotated[
        int | None,
        typer.Option("--max", metavar="N", min=1, max=256, help="at most so many (as make size says)"),
    ] = None,
    interval: Annotated[
        float, typer.Option("--interval", metavar="S", min=1.0, help="seconds between looks")
    ] = 15.0,
    once: Annotated[bool, typer.Option("--once", help="look once, do it, and end")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what would be done, and do nothing")
    ] = False,
    config: Config = None,
    url: AnyUrl = None,
    token_file: TokenFile = None,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Run as many containers of trainers as the coordinator lets work on this machine."""
    from cli.commands.config import CONFIG
    from cli.local.coordinator_at_hand import connect_to_stack
    from cli.stack.autoscaling import Autoscaling
    from cli.stack.trainers import Trainers
    from common.settings.night import load

    del debug
    trainers = Trainers(Path())
    bounds = trainers.bounds(load(config or (CONFIG if CONFIG.exists() else None)), least, most)
    with connect_to_stack(url, token_file) as client:
        scaling = Autoscaling(client, trainers, bounds, dry_run, as_json)
        if once:
            scaling.look(patient=False)
            return 0
        scaling.follow(interval)
