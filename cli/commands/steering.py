"""``nighttrain pause | resume | end | cancel``: the night that a coordinator trains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.arguments import OUT
from cli.command import Debug, Json
from cli.orders import (
    EXIT_CODES,
    AnyUrl,
    Night,
    Out,
    Preview,
    Reason,
    TokenFile,
    Yes,
    client_of,
    confirm,
    made,
    night_of,
    order,
    tell,
)

if TYPE_CHECKING:
    from common.client.client import OperatorClient
    from common.protocol.steering import Action

PAUSE_EPILOG = f"""\b
examples:
  nighttrain pause --reason "I need the machine"       running jobs go on to their end
  nighttrain pause --give-back                         running jobs save their folds and stop now
  docker compose exec coordinator nighttrain pause     in the container

A pause outlives restarts of whatever runs; nighttrain resume ends it.

{EXIT_CODES}"""

RESUME_EPILOG = f"""\b
examples:
  nighttrain resume --reason "it is midnight"
  nighttrain resume --url http://127.0.0.1:5000 --token-file secrets/nighttrain_token

{EXIT_CODES}"""

END_EPILOG = f"""\b
examples:
  nighttrain end --preview                     what would be kept and what dropped
  nighttrain end --reason "it is morning"      asks first
  nighttrain end --yes --json

Running jobs save their folds first. Models that are done are decided on, and the report is written. The next
night goes on with the saved folds.

{EXIT_CODES}"""

CANCEL_EPILOG = f"""\b
examples:
  nighttrain cancel --preview
  nighttrain cancel --reason "the wrong candles" --yes

No model of the night is promoted; nighttrain end keeps what is done.

{EXIT_CODES}"""


def pause(
    give_back: Annotated[
        bool, typer.Option("--give-back", help="have running jobs save their folds and stop, too")
    ] = False,
    reason: Reason = "",
    night: Night = None,
    preview: Preview = False,
    url: AnyUrl = None,
    token_file: TokenFile = None,
    out: Out = OUT,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Hand out no more jobs of the night until it is resumed."""
    from common.protocol.steering import Action, PauseOrder

    del debug
    wanted = made(PauseOrder, order(reason, preview, give_back=give_back))
    with client_of(url, token_file, out) as client:
        return tell(client.steer_run(night_of(client, night), Action.PAUSE, wanted), as_json)


def resume(
    reason: Reason = "",
    night: Night = None,
    preview: Preview = False,
    url: AnyUrl = None,
    token_file: TokenFile = None,
    out: Out = OUT,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Hand out the jobs of a paused night again."""
    from common.protocol.steering import Action, Order

    del debug
    wanted = made(Order, order(reason, preview))
    with client_of(url, token_file, out) as client:
        return tell(client.steer_run(night_of(client, night), Action.RESUME, wanted), as_json)


def end(
    reason: Reason = "",
    night: Night = None,
    preview: Preview = False,
    yes: Yes = False,
    url: AnyUrl = None,
    token_file: TokenFile = None,
    out: Out = OUT,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """End the night now with what is done; running jobs save their folds first."""
    from common.protocol.steering import Action

    del debug
    with client_of(url, token_file, out) as client:
        run = night_of(client, night)
        return _ask_and_steer(client, run, Action.END, reason, preview, yes, as_json)


def cancel(
    reason: Reason = "",
    night: Night = None,
    preview: Preview = False,
    yes: Yes = False,
    url: AnyUrl = None,
    token_file: TokenFile = None,
    out: Out = OUT,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Cancel the night with all its jobs; none of its models is promoted."""
    from common.protocol.steering import Action

    del debug
    with client_of(url, token_file, out) as client:
        run = night_of(client, night)
        return _ask_and_steer(client, run, Action.CANCEL, reason, preview, yes, as_json)


def _ask_and_steer(
    client: OperatorClient,
    run: int,
    action: Action,
    reason: str,
    preview: bool,
    yes: bool,
    as_json: bool,
) -> int:
    from common.protocol.steering import Order

    seen = client.steer_run(run, action, made(Order, order(reason, preview=True)))
    if preview:
        return tell(seen, as_json)
    if seen.changed:
        confirm(seen.words, yes)
    return tell(client.steer_run(run, action, made(Order, order(reason))), as_json)
