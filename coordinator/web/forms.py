"""What stands before a form that changes something: its sender has signed in, and it was made for them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Form, Request
from starlette.exceptions import HTTPException

from common.errors import ForbiddenError, UnauthorizedError
from common.token_file import Role
from coordinator.web.access import SignedIn, SignedInAs


def asked_from_here(request: Request) -> None:
    """Let no form of another site pass; browsers say where a form comes from.

    Raises
    ------
    HTTPException
        It comes from elsewhere (403).
    """
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(HTTPStatus.FORBIDDEN, "the form was sent by another site")


def form_of(
    request: Request,
    who: SignedInAs,
    form_token: Annotated[str, Form()] = "",
) -> SignedIn:
    """Let only forms pass that were made for the session that sends them.

    Raises
    ------
    UnauthorizedError
        Nobody has signed in, or too long ago.
    HTTPException
        The form was made for another session (403).
    """
    if who is None:
        raise UnauthorizedError("changing a night needs the token", "sign in, and do it again")
    asked_from_here(request)
    if not who.sessions.accepts(who.cookie, form_token):
        detail = "the form was made for another session: go back, load the page anew, and send it again"
        raise HTTPException(HTTPStatus.FORBIDDEN, detail)
    return who


FormOf = Annotated[SignedIn, Depends(form_of)]
"""Who sends a form, whoever that is."""


def steering_form(who: FormOf) -> None:
    """Let only forms of operators pass.

    Raises
    ------
    ForbiddenError
        Their sender may only look.
    """
    if who.role is not Role.OPERATOR:
        raise ForbiddenError(
            "the readers' token changes nothing", "sign out, sign in with the operator's, and do it again"
        )


SteeringForm = Annotated[None, Depends(steering_form)]
