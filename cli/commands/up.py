"""``nighttrain up``: coordinator and trainers that stay, and nights by the clock."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.arguments import OUT
from cli.command import Candles, Config, Debug, OwnOut, Port, Trainers

EPILOG = """\b
examples:
  nighttrain up                                  nights by window; without one each waits for nighttrain start
  nighttrain up --now                            begin a night at once, and stay
  nighttrain up --data ~/candles --out ~/night   on your candles; or look at the nights of a folder again
  nighttrain service install --out ~/night       the same at each start of the machine

One process tree: a coordinator with its page, and trainers. What is killed comes back. A changed file of the
configuration is taken up without a restart; the file says what is in force when. data.update_before_night
fetches new candles before each night.

\b
exit codes:
  0    stopped by SIGTERM, as a service is; all is saved
  1    something broke
  2    usage or configuration error, the port is taken, or another run is going in the out folder
  130  Ctrl-C: once stops gracefully, twice at once; nothing is lost by either
"""


def up(
    config: Config = None,
    data: Candles = None,
    out: OwnOut = OUT,
    trainers: Trainers = None,
    port: Port = None,
    now: Annotated[
        bool,
        typer.Option("--now", help="begin a night at once, if none is unfinished and the window is open"),
    ] = False,
    debug: Debug = False,
) -> int:
    """Keep coordinator and trainers up on this machine, with nights by the clock."""
    from cli.local.preparation import Order
    from cli.local.stay import stay

    given: dict[str, Any] = {"num_workers": trainers, "dashboard.port": port}
    given = {key: value for key, value in given.items() if value is not None}
    return stay(Order(config, data, out, given, debug), now)
