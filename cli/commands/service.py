"""``nighttrain service``: ``nighttrain up`` at each start of the machine, as a service of this user."""

from __future__ import annotations

import json
import shlex
import sys
from typing import Annotated

import typer

from cli.arguments import OUT
from cli.command import Candles, Command, Config, Debug, Group, Json, OwnOut, Port, Trainers

INSTALL_EPILOG = """\b
examples:
  nighttrain service install --data ~/candles --out ~/night   install and start it
  nighttrain service install --print                          show the file, write nothing
  nighttrain service install --name second --out ~/second --port 5001

A systemd unit of this user on Linux, a launch agent on macOS; it is started in the present folder. What is
installed already is replaced. The environment of this shell is not part of it: what BT_NIGHT_* says belongs
into the configuration.

\b
exit codes:
  0    installed and started, or printed
  1    the file is written, but the service could not be started; what to do is said
  2    a mistake in options or configuration
"""

UNINSTALL_EPILOG = """\b
examples:
  nighttrain service uninstall                 stop it gracefully, and remove it; nights are kept
  nighttrain service uninstall --name second

\b
exit codes:
  0    removed, or there was none
"""

STATUS_EPILOG = """\b
examples:
  nighttrain service status                    whether it is installed and up
  nighttrain service status --json

\b
exit codes:
  0    it is up
  1    it is not
"""

app = typer.Typer(cls=Group, help="Run nighttrain up as a service of this user.")

Name = Annotated[str, typer.Option("--name", metavar="NAME", help="name of the service")]


@app.command(cls=Command, epilog=INSTALL_EPILOG)
def install(
    config: Config = None,
    data: Candles = None,
    out: OwnOut = OUT,
    trainers: Trainers = None,
    port: Port = None,
    name: Name = "nighttrain",
    only_print: Annotated[bool, typer.Option("--print", help="show the file, and write nothing")] = False,
    debug: Debug = False,
) -> int:
    """Install the service, and start it."""
    from cli.local.preparation import Order, configured
    from cli.local.service import install as installed
    from cli.local.service import left_behind, manager_here, service_of

    del debug
    _assert_name(name)
    manager = manager_here()
    given = {"num_workers": trainers, "dashboard.port": port}
    order = Order(config, data, out, {key: value for key, value in given.items() if value is not None}, False)
    configured(order)
    words = ["--out", str(out.absolute())]
    for option, path in (("--config", order.file), ("--data", data)):
        place = path if path is None or isinstance(path, str) else path.absolute()
        words += [option, str(place)] if place is not None else []
    for option, value in (("--trainers", trainers), ("--port", port)):
        words += [option, value] if value is not None else []
    service = service_of(name, words, out)
    if only_print:
        sys.stdout.write(manager.content(service).decode())
        return 0
    if left_behind():
        print(
            f"warning: the service does not get {', '.join(left_behind())} of this shell; write what they "
            f"say into {order.file or 'a configuration'}",
            file=sys.stderr,
        )
    said = installed(manager, service)
    print(f"installed {manager.path(name)}")
    for note in manager.notes():
        print(note)
    if said.done:
        print(f"started; it is stopped and removed by nighttrain service uninstall --name {name}")
        return 0
    print(
        f"nighttrain: it could not be started: {said.words}; log in as this user and run the same command, "
        f"or start it by hand: {shlex.join(('nighttrain', 'up', *words))}",
        file=sys.stderr,
    )
    return 1


@app.command(cls=Command, epilog=UNINSTALL_EPILOG)
def uninstall(name: Name = "nighttrain", debug: Debug = False) -> int:
    """Stop the service, and remove it."""
    from cli.local.service import manager_here
    from cli.local.service import uninstall as removed

    del debug
    _assert_name(name)
    manager = manager_here()
    if removed(manager, name):
        print(f"removed {manager.path(name)}; all nights are kept")
    else:
        print(f"there is no service {name}: {manager.path(name)} does not exist")
    return 0


@app.command(cls=Command, epilog=STATUS_EPILOG)
def status(name: Name = "nighttrain", as_json: Json = False, debug: Debug = False) -> int:
    """Say whether the service is installed and up."""
    from cli.local.service import manager_here, state_of

    del debug
    _assert_name(name)
    state = state_of(manager_here(), name)
    if as_json:
        document = {"name": name, "installed": state.installed, "active": state.active}
        print(json.dumps(document | {"path": str(state.path), "notes": list(state.notes)}, indent=2))
        return 0 if state.active else 1
    if not state.installed:
        print(f"there is no service {name}; nighttrain service install makes one")
        return 1
    print(f"{state.path}: {'active' if state.active else 'not active'}")
    for note in state.notes:
        print(note)
    return 0 if state.active else 1


def _assert_name(name: str) -> None:
    from common.errors import ConfigurationError

    if not (name.isascii() and name.replace("-", "").replace("_", "").isalnum() and len(name) <= 60):
        raise ConfigurationError(f"--name: {name!r} is no name of a service", "use letters, digits, - and _")
