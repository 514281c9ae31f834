"""What stands before the paths: who may do what, and what a path or a query may hold."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import Field

from common.errors import InvalidRequestError, UnauthorizedError
from common.frozen import Frozen
from coordinator.assembly import Parts

_HINT = "send the content of the token file (`token` in the out folder) as Authorization: Bearer ..."

LARGEST = 2**31 - 1
"""The largest number that every database holds in an INTEGER, as ids are; beyond it PostgreSQL fails."""
RunId = Annotated[int, Path(ge=0, le=LARGEST, description="The run's id.", examples=[1])]
JobId = Annotated[int, Path(ge=0, le=LARGEST, description="The job's id.", examples=[17])]
CellName = Annotated[str, Path(max_length=50, description="The cell's name.", examples=["BTCUSDT_1h_H3"])]
Limit = Annotated[int, Field(ge=1, le=500, description="How many at most.")]
Offset = Annotated[int, Field(ge=0, le=LARGEST, description="How many to skip.")]


class NoQuery(Frozen):
    """The query of a path that takes none."""


def parts_of(request: Request) -> Parts:
    """Return the parts of the application that serves a request."""
    parts = request.app.state.parts
    assert isinstance(parts, Parts)
    return parts


PartsOf = Annotated[Parts, Depends(parts_of)]

bearer = HTTPBearer(auto_error=False, description="The content of the file `token` in the out folder.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


def may_write(parts: PartsOf, credentials: Credentials) -> None:
    """Let only holders of the token pass.

    Raises
    ------
    UnauthorizedError
        The token is missing or wrong.
    """
    check_token(f"Bearer {credentials.credentials}" if credentials else "", parts.token)


def check_token(authorization: str, token: str) -> None:
    """Check the Authorization header of a request.

    Raises
    ------
    UnauthorizedError
        It is missing or holds another token.
    """
    scheme, _, shown = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise UnauthorizedError("the bearer token is missing", _HINT)
    if not hmac.compare_digest(shown.strip().encode(), token.encode()):
        raise UnauthorizedError("the bearer token is wrong", _HINT)


def may_read(parts: PartsOf, credentials: Credentials) -> None:
    """Let everybody pass on loopback and on a trusted network, and only holders of the token elsewhere.

    Raises
    ------
    UnauthorizedError
        The coordinator can be reached from outside, and the token is missing or wrong.
    """
    if not parts.reading_is_open:
        may_write(parts, credentials)


def given_once(request: Request) -> None:
    """Let no parameter of the query pass twice: only one of its values would be looked at.

    Raises
    ------
    InvalidRequestError
        A parameter is given more than once.
    """
    for name in request.query_params:
        if len(request.query_params.getlist(name)) > 1:
            raise InvalidRequestError(f"query.{name}: it is given more than once", "give it once")


def no_query(_: Annotated[NoQuery, Query()]) -> None:
    """Let no parameter of the query pass, so that a mistyped path or filter is never taken for another."""


READS = (Depends(may_read), Depends(no_query))
FILTERED = (Depends(may_read), Depends(given_once))
"""What stands before a path whose query is a model of its own."""
WRITES = (Depends(may_write), Depends(no_query))
