"""``nighttrain check``: whether all is there that a night needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import Candles, Config, Debug, Json

if TYPE_CHECKING:
    from cli.local.requirements import Looked

EPILOG = """\b
examples:
  nighttrain check                        this machine, the configuration, its candles
  nighttrain check --data ~/candles --out ~/night
  nighttrain check --stack                the containers too: Docker, Compose, ports, boards
  nighttrain check --json | jq '.requirements[] | select(.state != "ok")'

\b
exit codes:
  0  all is there; there may be warnings
  1  something failed, so that no night can be trained as it is
  2  a mistake in options
"""


def check(
    config: Config = None,
    data: Candles = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="folder that the night writes to")] = Path("night"),
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="where a coordinator listens (found by itself)")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="its token (found by itself)")
    ] = None,
    stack: Annotated[
        bool | None,
        typer.Option("--stack/--no-stack", help="check the containers too (where .env says they are used)"),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Check all that a night needs, and say what to do about what is missing."""
    from cli.commands.config import CONFIG
    from cli.local.coordinator_check import wanted
    from cli.local.requirements import Looked
    from cli.local.stack_check import is_meant

    del debug
    stacked = is_meant(Path.cwd()) if stack is None else stack
    found = config or (CONFIG if CONFIG.exists() else None)
    place = wanted(url, token_file, out, needed=url is not None)
    return report(Looked(found, data, out, place, stacked), as_json)


def report(looked: Looked, as_json: bool) -> int:
    """Look, print what was found, and return the exit code."""
    from cli.local.requirement import State, worst
    from cli.local.requirements import requirements
    from cli.screen.checklist import print_checklist

    found = requirements(looked)
    state = worst(found)
    if as_json:
        print(json.dumps({"state": state, "requirements": [vars(one) for one in found]}, indent=2))
    else:
        print_checklist([(one.state, one.name, one.found, one.todo) for one in found])
    return 1 if state is State.FAILED else 0
