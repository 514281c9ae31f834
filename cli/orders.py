"""What commands have in common that ask a running coordinator, or give it orders."""

from __future__ import annotations

import getpass
import select
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel

    from common.client.client import OperatorClient
    from common.protocol.steering import Steered

AnyUrl = Annotated[
    str | None, typer.Option("--url", metavar="URL", help="where the coordinator listens (found by itself)")
]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", metavar="FILE", help="its token (found by itself)"),
]
Out = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="out folder of a night on this machine, to find it by")
]
Night = Annotated[int | None, typer.Option("--night", metavar="N", help="this night (the newest)")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="why; it is kept with the change")]
Preview = Annotated[bool, typer.Option("--preview", help="say what would be done, and do nothing")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="do not ask")]

EXIT_CODES = """\b
exit codes:
  0    done, or it was so already
  1    the coordinator does not answer, does not accept the token, or knows no such thing
  2    a mistake in options, or it cannot be done now, or it was not confirmed
  130  interrupted
"""


def client_of(url: str | None, token_file: Path | None, out: Path) -> OperatorClient:
    """Return a client of the coordinator that is named or found."""
    from cli.local.coordinator_at_hand import connect

    return connect(url, token_file, out)


def who() -> str:
    """Return who gives an order: the user and the machine."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"[:100]
    except (KeyError, OSError):
        # In a container the user may have no name.
        return ""


def night_of(client: OperatorClient, night: int | None) -> int:
    """Return the id of the night that is named, or of the newest.

    Raises
    ------
    NotFoundError
        There is no such night, or none yet.
    """
    from common.errors import NotFoundError

    if night is not None:
        return client.run(night).id
    newest = client.runs(limit=1).runs
    if not newest:
        raise NotFoundError("there is no night yet", "begin one with nighttrain start or nighttrain run")
    return newest[0].id


def confirm(words: str, yes: bool) -> None:
    """Ask whether to do what cannot be undone.

    Raises
    ------
    ConflictError
        The answer is no, or nobody can be asked.
    """
    from common.errors import ConflictError

    if yes:
        return
    if not sys.stdin.isatty():
        raise ConflictError(f"this cannot be undone: {words}", "say --yes")
    print(f"{words}\nThis cannot be undone. Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    # A signal just before the read would not end it: so it is waited for in short turns.
    while not select.select([sys.stdin], [], [], 0.2)[0]:
        continue
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise ConflictError("nothing was done", "say y, or --yes")


def tell(answer: Steered, as_json: bool) -> int:
    """Print what was done, and return the exit code."""
    if as_json:
        return dump(answer)
    print(f"would be done: {answer.words}" if answer.preview and answer.changed else answer.words)
    return 0


def dump(document: BaseModel) -> int:
    """Print a document as JSON, and return the exit code."""
    print(document.model_dump_json(by_alias=True, indent=2))
    return 0


def order(reason: str, preview: bool = False, **others: Any) -> dict[str, Any]:
    """Return the fields of an order: who gives it, why, and whether only to look."""
    return {"by": who(), "reason": reason, "preview": preview, **others}


def made(kind: Any, fields: dict[str, Any]) -> Any:
    """Return an order of a kind; a field that is wrong is a mistake on the command line.

    Raises
    ------
    ConfigurationError
        A field is wrong.
    """
    from pydantic import ValidationError

    from common.errors import ConfigurationError

    try:
        return kind(**fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0]).replace("_", "-")
        raise ConfigurationError(f"--{name}: {first['msg'].removeprefix('Value error, ')}") from None
