"""``nighttrain nights``: every night, one of them, two side by side, and what operators changed."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import OUT
from cli.command import Command, Debug, Group, Json
from cli.orders import EXIT_CODES, AnyUrl, Night, Out, TokenFile, client_of, dump, night_of

LIST_EPILOG = f"""\b
examples:
  nighttrain nights list                 the last twenty, the newest first
  nighttrain nights list --limit 3 --json

{EXIT_CODES}"""

SHOW_EPILOG = f"""\b
examples:
  nighttrain nights show                 the newest night, with what operators changed in it
  nighttrain nights show 3 --json

{EXIT_CODES}"""

COMPARE_EPILOG = f"""\b
examples:
  nighttrain nights compare              the newest night against the one before
  nighttrain nights compare 3 7          cell by cell, with what the models were made from
  nighttrain nights compare 3 7 --json

{EXIT_CODES}"""

AUDIT_EPILOG = f"""\b
examples:
  nighttrain nights audit                who changed what, when, from where and why
  nighttrain nights audit --night 3 --json

{EXIT_CODES}"""

app = typer.Typer(cls=Group, help="List nights, show one, compare two, and say what operators changed.")

Limit = Annotated[int, typer.Option(metavar="N", min=1, max=500, help="how many at most")]


@app.command("list", cls=Command, epilog=LIST_EPILOG)
def list_nights(
    limit: Limit = 20,
    url: AnyUrl = None,
    token_file: TokenFile = None,
    out: Out = OUT,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """List the nights, the newest first."""
    from cli.screen.nights import night_table

    del debug
    with client_of(url, token_file, out) as client:
        page = client.runs(limit=limit)
    if as_json:
        return dump(page)
    print(night_table(page) if page.runs else "there is no night yet")
    return 0


@app.command(cls=Command, epilog=SHOW_EPILOG)
def show(
    night: Annotated[int | None, typer.Argument(metavar="N", help="its number (the newest)")] = None,
    url: AnyUrl = None,
    token_file: TokenFile = None,
    out: Out = OUT,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Show a night and how far it is."""
    from cli.screen.nights import night_page

    del debug
    with client_of(url, token_file, out) as client:
        run = client.run(night_of(client, night))
        audit = client.audit(run=run.id, limit=20)
    if as_json:
        return dump(run)
    print(night_page(run, audit))
    return 0


@app.command(cls=Command, epilog=COMPARE_EPILOG)
def compare(
    nights: Annotated[
        list[int] | None, typer.Argument(metavar="N N", help="two nights (the newest and the one before)")
    ] = None,
    url: AnyUrl = None,
    token_file: TokenFile = None,
    out: Out = OUT,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Compare two nights cell by cell, and say what changed."""
    from cli.screen.nights import difference_page
    from common.errors import ConfigurationError, NotFoundError

    del debug
    if nights and len(nights) != 2:
        raise ConfigurationError(
            f"two nights are compared, and {len(nights)} were named", "name two, or none"
        )
    with client_of(url, token_file, out) as client:
        if not nights:
            nights = [run.id for run in client.runs(limit=2).runs][::-1]
            if len(nights) < 2:
                raise NotFoundError("there are no two nights yet")
        told = client.compare_runs(*nights)
    if as_json:
        return dump(told)
    print(difference_page(told))
    return 0


@app.command(cls=Command, epilog=AUDIT_EPILOG)
def audit(
    night: Night = None,
    limit: Limit = 100,
    url: AnyUrl = None,
    token_file: TokenFile = None,
    out: Out = OUT,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """List what operators changed, the newest first; of all nights if none is named."""
    from cli.screen.nights import audit_table

    del debug
    with client_of(url, token_file, out) as client:
        page = client.audit(run=night if night is None else night_of(client, night), limit=limit)
    if as_json:
        return dump(page)
    print(audit_table(page) if page.entries else "no operator has changed anything")
    return 0
