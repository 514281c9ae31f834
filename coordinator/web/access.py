"""Who looks at a page and who may steer: readers, their sessions, and what stands before a path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Request

from common.token_file import Role
from coordinator.api.access import PartsOf, reading_is_open
from coordinator.assembly import Parts
from coordinator.credentials.doorkeeper import MAY_READ
from coordinator.web.rendering import PLACES, Place, Reader
from coordinator.web.session import Sessions

SAID = "nighttrain-said"
"""The cookie that carries what was done to the page that is shown next."""


class SignInFirst(Exception):  # noqa: N818 (a detour, no error)
    """A page is asked for that only those may see who have shown the token."""


@dataclass(frozen=True)
class SignedIn:
    """Somebody who has shown a token that opens the page."""

    role: Role
    sessions: Sessions
    cookie: str


def sessions_of(parts: Parts, role: Role) -> Sessions:
    """Return the sessions of a role, which end with its token."""
    return Sessions(parts.doorkeeper.tokens[role], parts.database.clock)


def signed_in_as(request: Request, parts: PartsOf) -> SignedIn | None:
    """Return who sends a request; None: somebody who has not signed in."""
    for role in MAY_READ:
        sessions = sessions_of(parts, role)
        cookie = request.cookies.get(sessions.cookie, "")
        if sessions.valid(cookie):
            return SignedIn(role, sessions, cookie)
    return None


SignedInAs = Annotated[SignedIn | None, Depends(signed_in_as)]


def reader_of(request: Request, who: SignedInAs) -> Reader:
    """Return who looks at a page."""
    if who is None:
        return Reader()
    said = unquote(request.cookies.get(SAID, ""))
    may_steer = who.role is Role.OPERATOR
    return Reader(True, may_steer, form_token=who.sessions.form_token(who.cookie), said=said)


ReaderOf = Annotated[Reader, Depends(reader_of)]


def may_look(request: Request, parts: PartsOf, reader: ReaderOf) -> None:
    """Let everybody look on loopback and on a trusted network, and elsewhere those who have signed in.

    Raises
    ------
    SignInFirst
        The coordinator can be reached from outside, and nobody has signed in.
    """
    if not reading_is_open(request, parts) and not reader.signed_in:
        raise SignInFirst


LOOKING = (Depends(may_look),)
"""What stands before a page that is only looked at."""


def places_of(request: Request) -> tuple[Place, ...]:
    """Return the entries of the navigation for which the application has a screen."""
    paths: frozenset[str] = request.app.state.screens
    return tuple(place for place in PLACES if place.address in paths)
