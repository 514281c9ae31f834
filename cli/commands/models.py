"""``nighttrain models``: the promoted models, their history, and orders about them."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import OUT
from cli.command import Command, Debug, Group, Json
from cli.commands.jobs import find
from cli.orders import EXIT_CODES, AnyUrl, Night, Out, Preview, TokenFile, client_of, dump, made, order, tell

LIST_EPILOG = f"""\b
examples:
  nighttrain models list --json
  nighttrain models list                      the champion of each cell, since when and why

{EXIT_CODES}"""

SHOW_EPILOG = f"""\b
examples:
  nighttrain models show BTCUSDT_1h_H3        with what a rollback would do
  nighttrain models show BTCUSDT_1h_H3 --json

{EXIT_CODES}"""

HISTORY_EPILOG = f"""\b
examples:
  nighttrain models history BTCUSDT_1h_H3     every change, who or which night made it, and why
  nighttrain models history BTCUSDT_1h_H3 --json

{EXIT_CODES}"""

DIFF_EPILOG = f"""\b
examples:
  nighttrain models diff BTCUSDT_1h_H3        the champion before against the present one
  nighttrain models diff 17 231 --json        the models of two jobs

{EXIT_CODES}"""

PROMOTE_EPILOG = f"""\b
examples:
  nighttrain models promote BTCUSDT_1h_H3 --reason "it trades better"     that of the newest night
  nighttrain models promote 231 --reason "it trades better" --preview     that of a job

A model whose certificate has failed is never promoted. nighttrain models rollback undoes it.

{EXIT_CODES}"""

ROLLBACK_EPILOG = f"""\b
examples:
  nighttrain models rollback BTCUSDT_1h_H3 --reason "it has lost its edge"
  nighttrain models rollback BTCUSDT_1h_H3 --reason "as before" --preview

Each rollback goes one step further back; before its first champion a cell has none. From there one more
brings the last champion back, so repeat none that has succeeded: nighttrain models list says what stands.

{EXIT_CODES}"""

app = typer.Typer(cls=Group, help="List champions, show their history, promote models and roll them back.")

CellName = Annotated[str, typer.Argument(metavar="CELL", help="a cell, such as BTCUSDT_1h_H3")]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="why; it is kept for good")]


@app.command("list", cls=Command, epilog=LIST_EPILOG)
def list_models(
    url: AnyUrl = None,
    token_file: TokenFile = None,
    out: Out = OUT,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """List the champion of each cell."""
    from cli.screen.models import champion_table

    del debug
    with client_of(url, token_file, out) as client:
        page = client.champions()
    if as_json:
        return dump(page)
    print(champion_table(page))
    return 0


@app.command(cls=Command, epilog=SHOW_EPILOG)
def show(
    cell: CellName,
    url: AnyUrl = None,
    token_file: TokenFile = None,
    out: Out = OUT,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Show the champion of a cell."""
    from cli.screen.models import champion_page

    del debug
    with client_of(url, token_file, out) as client:
        history = client.champion(cell)
    if as_json:
        return dump(history)
    print(champion_page(history))
    return 0


@app.command(cls=Command, epilog=HISTORY_EPILOG)
def history(
    cell: CellName,
    url: AnyUrl = None,
    token_file: TokenFile = None,
    out: Out = OUT,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """List every change of the champion of a cell, the newest first."""
    from cli.screen.models import history_table

    del debug
    with client_of(url, token_file, out) as client:
        found = client.champion(cell)
    if as_json:
        return dump(found)
    print(history_table(found))
    return 0


@app.command(cls=Command, epilog=DIFF_EPILOG)
def diff(
    models: Annotated[
        list[str], typer.Argument(metavar="CELL | JOB JOB", help="a cell, or two jobs by id or name")
    ],
    night: Night = None,
    url: AnyUrl = None,
    token_file: TokenFile = None,
    out: Out = OUT,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Say what differs between two models: scores, what they were made from, coefficients."""
    from cli.screen.models import difference_page
    from common.errors import ConfigurationError, NotFoundError

    del debug
    if len(models) > 2:
        raise ConfigurationError("two models are compared", "name a cell, or two jobs")
    with client_of(url, token_file, out) as client:
        if len(models) == 2:
            left, right = (find(client, name, night) for name in models)
        else:
            found = client.champion(models[0])
            if found.champion is None or found.before is None:
                raise NotFoundError(f"{found.cell} has no two champions", "name two jobs")
            left, right = found.before, found.champion.job
        told = client.compare_models(left, right)
    if as_json:
        return dump(told)
    print(difference_page(told))
    return 0


@app.command(cls=Command, epilog=PROMOTE_EPILOG)
def promote(
    job: Annotated[str, typer.Argument(metavar="JOB", help="a job, by its id or its name")],
    reason: Why,
    night: Night = None,
    preview: Preview = False,
    url: AnyUrl = None,
    token_file: TokenFile = None,
    out: Out = OUT,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Make the model of a job champion of its cell, whatever its night has decided."""
    from common.protocol.steering import Action, ReasonedOrder

    del debug
    wanted = made(ReasonedOrder, order(reason, preview))
    with client_of(url, token_file, out) as client:
        return tell(client.steer_job(find(client, job, night), Action.PROMOTE, wanted), as_json)


@app.command(cls=Command, epilog=ROLLBACK_EPILOG)
def rollback(
    cell: CellName,
    reason: Why,
    preview: Preview = False,
    url: AnyUrl = None,
    token_file: TokenFile = None,
    out: Out = OUT,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Make the model champion again that was before the present one."""
    from common.protocol.steering import ReasonedOrder

    del debug
    wanted = made(ReasonedOrder, order(reason, preview))
    with client_of(url, token_file, out) as client:
        return tell(client.roll_back(cell, wanted), as_json)
