"""``nighttrain stack``: what `make` asks about the containers, answered within the coordinator's image.

`deploy/stack/stack.sh` and `deploy/install.ps1` call it, on every system in the same way: they speak with
Docker, and all else is decided here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.arguments import OUT
from cli.command import Command, Debug, Group
from cli.orders import client_of

if TYPE_CHECKING:
    from cli.stack.facts import Facts
    from cli.stack.owner import User

EPILOG = """\b
examples:
  make up                    what calls all of these
  docker compose run --rm --no-deps -T stack inventory

They run in the containers and are called by make, which gives them on standard input what docker says.

\b
exit codes:
  0  done; of the lines printed, `set NAME=VALUE` are for the shell
  1  there is nothing to show, or something could not be written
  2  a mistake in .env, the configuration or the environment; what to do is said
"""

app = typer.Typer(
    cls=Group,
    help="What make asks about the containers.",
    epilog=EPILOG,
    no_args_is_help=False,
    rich_markup_mode=None,
)

Uid = Annotated[str, typer.Option(metavar="N", help="number of the user who calls; empty on Windows")]
Gid = Annotated[str, typer.Option(metavar="N", help="number of that user's group")]
Ports = Annotated[
    str, typer.Option(metavar="TEXT", help="published ports: coordinator 5000 grafana 3000 ...")
]
VOLUMES = Path("/volumes")


@app.command("prepare", cls=Command)
def prepare(
    uid: Uid = "",
    gid: Gid = "",
    sudo_uid: Annotated[str, typer.Option(metavar="N", help="who called sudo, if somebody did")] = "",
    sudo_gid: Annotated[str, typer.Option(metavar="N", help="that user's group")] = "",
    debug: Debug = False,
) -> int:
    """Make `.env`, secrets and folders ready for a start."""
    from cli.stack.checkout import Mounts
    from cli.stack.preparation import prepare as prepared

    del debug
    return _say(prepared(_facts(), _user(uid, gid), _user(sudo_uid, sudo_gid), Mounts()))


@app.command("size", cls=Command)
def size(debug: Debug = False) -> int:
    """Say how many trainers of what size fit this machine, and why."""
    from cli.stack.checkout import Mounts, read_env
    from cli.stack.preparation import settings_of
    from cli.stack.sizes import explained, sizes_of

    del debug
    facts, mounts = _facts(), Mounts()
    keys = ("TRAINERS", "TRAINER_MEMORY", "BT_NIGHT_WORKERS", "BT_NIGHT_MEMORY_LIMIT")
    return _say(
        explained(
            sizes_of(facts.engine, settings_of(facts, mounts.config)), read_env(mounts.root).lines(*keys)
        )
    )


@app.command("scale", cls=Command)
def scale(number: Annotated[str, typer.Argument(metavar="N")], debug: Debug = False) -> int:
    """Have this and later starts run so many trainers."""
    from cli.stack.checkout import Mounts
    from cli.stack.preparation import scaled

    del debug
    return _say(scaled(_facts(), number, Mounts()))


@app.command("alerts", cls=Command)
def alerts(debug: Debug = False) -> int:
    """Note what is mounted, so that what has changed is taken over."""
    from cli.stack.checkout import Mounts
    from cli.stack.preparation import noted

    del debug
    noted(Mounts())
    return 0


@app.command("start", cls=Command)
def start(
    fresh: Annotated[bool, typer.Option("--fresh", help="drop an unfinished night and start over")] = False,
    ports: Ports = "",
    debug: Debug = False,
) -> int:
    """Start the night of the coordinator in this container, and say where all is found."""
    from cli.commands.start import CONFIG, begin
    from cli.stack.explanation import listed
    from cli.stack.welcome import changed, welcome
    from common.errors import ConflictError
    from common.settings.night import load

    del debug
    settings = load(CONFIG)
    if settings.training:
        with client_of(None, None, OUT) as client:
            try:
                print(begin(client, settings, fresh)[2])
            except ConflictError as error:
                raise changed(error) from error
    else:
        print(f"BT_NIGHT_TRAINING={os.environ.get('BT_NIGHT_TRAINING', 'false')}: no night was started")
    return _say(welcome(listed(ports)))


@app.command("report", cls=Command)
def report(
    stopped: Annotated[
        bool, typer.Option("--stopped", help="the containers are stopped: read their files")
    ] = False,
    debug: Debug = False,
) -> int:
    """Show the last night, or the table so far of the one that is running."""
    from cli.commands.report import report as of_last
    from cli.screen.plain_table import lines
    from cli.stack.morning import STOPPED, last_night
    from common.out_folder import OutFolder
    from common.protocol.runs import RunState

    if stopped:
        _say(last_night(OutFolder(VOLUMES / "night")))
        print(STOPPED)
        return 0
    with client_of(None, None, OUT) as client:
        newest = next(iter(client.runs(limit=1).runs), None)
        if newest is not None and newest.state is RunState.RUNNING:
            print(
                f"night {newest.id} is running: {newest.training.final} of {newest.training.total} cells done"
            )
            return _say(lines(client.results(newest.id, so_far=True)))
    return of_last(debug=debug)


@app.command("models", cls=Command)
def models(uid: Uid = "", gid: Gid = "", debug: Debug = False) -> int:
    """Copy promoted models and results to /copies."""
    from cli.stack.morning import copy
    from common.out_folder import OutFolder

    del debug
    return _say(copy(OutFolder(VOLUMES / "night"), Path("/copies"), _user(uid, gid)))


@app.command("inventory", cls=Command)
def inventory(debug: Debug = False) -> int:
    """Say what the volumes hold."""
    from cli.stack.inventory import inventory as listed

    del debug
    return _say(listed(VOLUMES))


@app.command("explain", cls=Command)
def explain(ports: Ports = "", debug: Debug = False) -> int:
    """Say why a start failed, by what docker printed."""
    from cli.stack.explanation import explain as explained
    from cli.stack.explanation import listed

    del debug
    return _say(explained(sys.stdin.read(), listed(ports)))


def _facts() -> Facts:
    from cli.stack.facts import read_facts

    return read_facts(sys.stdin.read(), os.environ)


def _user(uid: str, gid: str) -> User | None:
    from cli.stack.owner import User

    return User(int(uid), int(gid or uid)) if uid.isdecimal() else None


def _say(lines: Iterable[str]) -> int:
    for line in lines:
        print(line)
    return 0
