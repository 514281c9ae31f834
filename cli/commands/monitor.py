"""``nighttrain monitor``: the night while it goes on, live, in lines, or in one word for scripts."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli.arguments import OUT
from cli.command import Debug, Json
from cli.orders import AnyUrl, Out, TokenFile

SCREEN_SECONDS = 2.0
LINES_SECONDS = 30.0

EPILOG = """\b
examples:
  nighttrain monitor                            a live screen; ? shows its keys, q leaves
  nighttrain monitor --detailed                 with the machine and the latest jobs
  nighttrain monitor --continuous --interval 30 lines for a log, over all nights, until Ctrl-C
  nighttrain monitor --health || echo look      one word, reasons, and an exit code
  nighttrain monitor --alerts                   what fires now, with what to do
  nighttrain monitor --json | jq .health        one document; with --continuous one a line
  docker compose exec coordinator nighttrain monitor

Without a terminal, or with --no-screen, there are lines until the night is over. The screen changes things
only if the token is at hand, and asks before what cannot be undone. If the coordinator is away, it says since
when, and goes on when it is back.

\b
exit codes:
  0    all is well; or, without --health, the night was shown
  1    the coordinator is not found, or does not answer, or refuses the token
  2    a mistake in options
  3    --health: something is worth a look (failed jobs, warnings, alerts)
  4    --health: nobody works on a night that is open, or a critical alert fires
  130  interrupted
"""


def monitor(
    detailed: Annotated[
        bool, typer.Option("--detailed", help="show all: machine, grid, trainers, failures, latest jobs")
    ] = False,
    continuous: Annotated[
        bool, typer.Option("--continuous", help="print lines at each interval, over all nights")
    ] = False,
    interval: Annotated[
        float | None,
        typer.Option("--interval", metavar="S", min=0.5, help="seconds between looks (screen 2, lines 30)"),
    ] = None,
    health: Annotated[
        bool, typer.Option("--health", help="say whether somebody should look; see the exit codes")
    ] = False,
    alerts: Annotated[bool, typer.Option("--alerts", help="show what fires now")] = False,
    screen: Annotated[
        bool | None, typer.Option("--screen/--no-screen", help="the live screen (where there is a terminal)")
    ] = None,
    url: AnyUrl = None,
    token_file: TokenFile = None,
    out: Out = OUT,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Watch the night: a live screen with keys to act, lines for a log, or its health for scripts."""
    from cli.monitor.look import Source
    from cli.monitor.printed import Wanted, print_on, print_once
    from common.errors import ConfigurationError

    del debug
    lines = continuous or health or alerts or as_json
    if screen and lines:
        raise ConfigurationError("--screen: it goes with none of --continuous, --health, --alerts, --json")
    source = Source(url, token_file, out)
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if not lines and (screen if screen is not None else terminal):
        from cli.monitor.app import Monitor

        if not terminal:
            raise ConfigurationError("--screen: there is no terminal", "leave it out, and there are lines")
        app = Monitor(source, interval or SCREEN_SECONDS, detailed)
        code = app.run()
        return code if code is not None else app.return_code or 0
    wanted = Wanted(detailed, health, alerts, as_json)
    try:
        if continuous or not lines:
            return print_on(source, wanted, interval or LINES_SECONDS, for_ever=continuous)
        return print_once(source, wanted)
    finally:
        source.close()
