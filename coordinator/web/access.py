"""Who looks at a page and who may steer: readers, their sessions, and what stands before a path."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Request

from common.errors import UnauthorizedError
from coordinator.api.access import PartsOf
from coordinator.web.rendering import PLACES, Place, Reader
from coordinator.web.session import Sessions

SAID = "nighttrain-said"
"""The cookie that carries what was done to the page that is shown next."""


class SignInFirst(Exception):  # noqa: N818
    """A page is asked for that only those may see who have shown the token."""


def sessions_of(parts: PartsOf) -> Sessions:
    """Return the sessions of the coordinator that serves a request."""
    return Sessions(parts.token, parts.database.clock)


SessionsOf = Annotated[Sessions, Depends(sessions_of)]


def reader_of(request: Request, sessions: SessionsOf) -> Reader:
    """Return who sends a request."""
    cookie = request.cookies.get(sessions.cookie, "")
    if not sessions.valid(cookie):
        return Reader()
    said = unquote(request.cookies.get(SAID, ""))
    return Reader(may_steer=True, form_token=sessions.form_token(cookie), said=said)


ReaderOf = Annotated[Reader, Depends(reader_of)]


def may_look(parts: PartsOf, reader: ReaderOf) -> None:
    """Let everybody look on loopback and on a trusted network, and elsewhere those who have shown the token.

    Raises
    ------
    SignInFirst
        The coordinator can be reached from outside, and nobody has signed in.
    """
    if not parts.reading_is_open and not reader.may_steer:
        raise SignInFirst


LOOKING = (Depends(may_look),)
"""What stands before a page that is only looked at."""


def places_of(request: Request) -> tuple[Place, ...]:
    """Return the entries of the navigation for which the application has a screen."""
    paths: frozenset[str] = request.app.state.screens
    return tuple(place for place in PLACES if place.address in paths)


def signed_in(reader: ReaderOf) -> None:
    """Let only those pass who have shown the token.

    Raises
    ------
    UnauthorizedError
        Nobody has signed in, or too long ago.
    """
    if not reader.may_steer:
        raise UnauthorizedError("changing a night needs the token", "sign in, and do it again")
