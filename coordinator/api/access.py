"""What stands before the paths: who may do what, and what a path or a query may hold.

All of it is asynchronous, though it waits for nothing: FastAPI hands what is not to another thread.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import Field

from common.errors import InvalidRequestError
from common.frozen import Frozen
from common.token_file import Role
from coordinator.assembly import Parts
from coordinator.credentials.doorkeeper import MAY_READ, changed_by

OUTSIDE = "nighttrain.outside"
"""In the scope of a request: whether it came through a proxy."""
ADMITTED = "nighttrain.admitted"
"""In the scope of a request: whose token it has shown, once that was looked at."""
LARGEST = 2**31 - 1
"""The largest number that every database holds in an INTEGER, as ids are; beyond it PostgreSQL fails."""
RunId = Annotated[int, Path(ge=0, le=LARGEST, description="The run's id.", examples=[1])]
JobId = Annotated[int, Path(ge=0, le=LARGEST, description="The job's id.", examples=[17])]
CellName = Annotated[str, Path(max_length=50, description="The cell's name.", examples=["BTCUSDT_1h_H3"])]
Limit = Annotated[int, Field(ge=1, le=500, description="How many at most.")]
Offset = Annotated[int, Field(ge=0, le=LARGEST, description="How many to skip.")]


class Parameters(Frozen):
    """What stands behind a path's question mark.

    The interface's document asks the fields what they mean, which is when the class is made. So they say it
    as a `description`: to find strings below them Pydantic would look through all modules for each class.
    """


def serving(request: Request) -> Parts:
    """Return the parts of the application that serves a request."""
    parts = request.app.state.parts
    assert isinstance(parts, Parts)
    return parts


async def parts_of(request: Request) -> Parts:
    """Return the same to a path that asks for it."""
    return serving(request)


PartsOf = Annotated[Parts, Depends(parts_of)]

bearer = HTTPBearer(
    auto_error=False,
    description=(
        "In the out folder: the content of `token` for operators, `trainer_token` for trainers, "
        "`alerts_token` for Alertmanager, `reader_token` for who only reads."
    ),
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


async def may_write(request: Request, credentials: Credentials) -> None:
    """Let only holders of the token pass that the path needs; who has shown it already is not asked again.

    Raises
    ------
    UnauthorizedError
        The token is missing or wrong, or of another role.
    """
    needed = changed_by(request.scope["path"])
    if request.scope.get(ADMITTED) is not needed:
        _admit(request, serving(request), credentials, (needed,))


async def may_read(request: Request, parts: PartsOf, credentials: Credentials) -> None:
    """Let everybody pass on loopback and on a trusted network, and only operators and readers elsewhere.

    What came through a proxy came from elsewhere.

    Raises
    ------
    UnauthorizedError
        The coordinator can be reached from outside, and the token is missing or wrong, or of another role.
    """
    if not reading_is_open(request, parts):
        _admit(request, parts, credentials, MAY_READ)


def reading_is_open(request: Request, parts: Parts) -> bool:
    """Return whether who sends a request may read without a token."""
    return parts.reading_is_open and not request.scope.get(OUTSIDE, False)


def _admit(
    request: Request, parts: Parts, credentials: HTTPAuthorizationCredentials | None, roles: tuple[Role, ...]
) -> None:
    shown = f"Bearer {credentials.credentials}" if credentials else ""
    parts.doorkeeper.admit_header(shown, roles, address_of(request))


def address_of(request: Request) -> str:
    """Return where a request comes from."""
    return request.client.host if request.client is not None else ""


async def given_once(request: Request) -> None:
    """Let no parameter of the query pass twice: only one of its values would be looked at.

    Raises
    ------
    InvalidRequestError
        A parameter is given more than once.
    """
    for name in request.query_params:
        if len(request.query_params.getlist(name)) > 1:
            raise InvalidRequestError(f"query.{name}: it is given more than once", "give it once")


async def no_query(request: Request) -> None:
    """Let no parameter of the query pass, so that a mistyped path or filter is never taken for another.

    Raises
    ------
    RequestValidationError
        There is one; it is said as of a model of the query without fields.
    """
    unknown = [{"type": "extra_forbidden", "loc": ("query", name)} for name in request.query_params]
    if unknown:
        raise RequestValidationError(unknown)


READS = (Depends(may_read), Depends(no_query))
FILTERED = (Depends(may_read), Depends(given_once))
"""What stands before a path whose query is a model of its own."""
WRITES = (Depends(may_write), Depends(no_query))
