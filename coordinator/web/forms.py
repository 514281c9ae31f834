"""What stands before a form that changes something: its sender has signed in, and it was made for them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Form, Request
from starlette.exceptions import HTTPException

from coordinator.web.access import SessionsOf, signed_in


def asked_from_here(request: Request) -> None:
    """Let no form of another site pass; browsers say where a form comes from.

    Raises
    ------
    HTTPException
        It comes from elsewhere (403).
    """
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(HTTPStatus.FORBIDDEN, "the form was sent by another site")


def form_token(
    request: Request,
    sessions: SessionsOf,
    _: Annotated[None, Depends(signed_in)],
    form_token: Annotated[str, Form()] = "",
) -> None:
    """Let only forms pass that were made for the session that sends them.

    Raises
    ------
    UnauthorizedError
        Nobody has signed in.
    HTTPException
        The form was made for another session (403).
    """
    asked_from_here(request)
    if not sessions.accepts(request.cookies.get(sessions.cookie, ""), form_token):
        detail = "the form was made for another session: go back, load the page anew, and send it again"
        raise HTTPException(HTTPStatus.FORBIDDEN, detail)


FormToken = Annotated[None, Depends(form_token)]
