"""The command line: each command with the file that it is in.

Exit codes: 0 all that was asked for is done, 1 some job failed or something broke, 2 usage or configuration
error, 130 interrupted with progress saved.

What is imported here and at the top of a command's file is imported for every command, for ``--help`` too. So
a command imports what it needs of the house within its function.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from copy import copy
from typing import Annotated

import typer

from cli.command import Command, Group
from cli.commands import (
    alerts,
    autoscale,
    check,
    config,
    data,
    db,
    estimate,
    jobs,
    models,
    monitor,
    nights,
    report,
    run,
    service,
    stack,
    start,
    steering,
    up,
)

# Plain help: Rich alone would take three times as long as all the rest of a help page.
app = typer.Typer(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=run.EXIT_CODES,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("run", cls=Command, epilog=run.EPILOG)(run.run)
app.command("up", cls=Command, epilog=up.EPILOG)(up.up)
app.add_typer(service.app, name="service")
app.command("start", cls=Command, epilog=start.EPILOG)(start.start)
app.command("check", cls=Command, epilog=check.EPILOG)(check.check)
app.command("estimate", cls=Command, epilog=estimate.EPILOG)(estimate.estimate)
app.command("report", cls=Command, epilog=report.EPILOG)(report.report)
app.command("monitor", cls=Command, epilog=monitor.EPILOG)(monitor.monitor)
app.command("pause", cls=Command, epilog=steering.PAUSE_EPILOG)(steering.pause)
app.command("resume", cls=Command, epilog=steering.RESUME_EPILOG)(steering.resume)
app.command("end", cls=Command, epilog=steering.END_EPILOG)(steering.end)
app.command("cancel", cls=Command, epilog=steering.CANCEL_EPILOG)(steering.cancel)
app.add_typer(jobs.app, name="jobs")
app.add_typer(nights.app, name="nights")
app.add_typer(models.app, name="models")
app.command("alerts", cls=Command, epilog=alerts.EPILOG)(alerts.alerts)
app.command("autoscale", cls=Command, epilog=autoscale.EPILOG)(autoscale.autoscale)
app.add_typer(stack.app, name="stack", hidden=True)
app.add_typer(data.app, name="data")
app.add_typer(db.app, name="db")
app.add_typer(config.app, name="config")


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"nighttrain {version('nighttrain')}")
        raise typer.Exit


@app.callback()
def nighttrain(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="show the version and exit")
    ] = False,
) -> None:
    """Train a grid of direction classifiers on market candles, unattended and leak-free."""


def of_command(name: str) -> typer.Typer:
    """Return the command line with this command alone, or all of it if there is none of that name.

    Typer makes all commands before it runs one, which takes longer than to import their files.
    """
    alone = copy(app)
    alone.registered_commands = [one for one in app.registered_commands if one.name == name]
    alone.registered_groups = [one for one in app.registered_groups if one.name == name]
    return alone if alone.registered_commands or alone.registered_groups else app


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; a mistake in it is one line on stderr."""
    words = sys.argv[1:] if argv is None else argv
    for stream in sys.stdout, sys.stderr:
        if isinstance(stream, io.TextIOWrapper):
            # What a terminal cannot show must not end the command.
            stream.reconfigure(errors="replace")
    try:
        asked = of_command(words[0]) if words else app
        code = int(asked(args=words, prog_name="nighttrain", standalone_mode=False) or 0)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read along, such as head, has enough; what is left has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except typer.TyperException as mistake:
        context: typer.Context | None = getattr(mistake, "ctx", None)
        place = context.command_path if context else "nighttrain"
        words = " ".join(mistake.format_message().split())
        stop = "" if words.endswith((".", "?")) else "."
        print(f"{place}: {words}{stop} See {place} --help", file=sys.stderr)
        return mistake.exit_code
