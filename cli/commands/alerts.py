"""``nighttrain alerts``: what Prometheus found and Alertmanager reported, with what to do."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import OUT
from cli.command import Debug, Json
from cli.orders import EXIT_CODES, AnyUrl, Out, TokenFile, client_of, dump

EPILOG = f"""\b
examples:
  nighttrain alerts --firing                 only those that fire now
  nighttrain alerts --limit 500 --json
  docker compose exec coordinator nighttrain alerts

{EXIT_CODES}"""


def alerts(
    firing: Annotated[bool, typer.Option("--firing", help="only those that fire now")] = False,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=500, help="how many at most")] = 50,
    url: AnyUrl = None,
    token_file: TokenFile = None,
    out: Out = OUT,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """List alerts: those that fire, then those that ended, the latest first."""
    from cli.screen.alerts import alert_table

    del debug
    with client_of(url, token_file, out) as client:
        page = client.alerts(firing=firing or None, limit=limit)
    if as_json:
        return dump(page)
    print(alert_table(page))
    return 0
