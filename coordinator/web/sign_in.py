"""Signing in with the token, and out again."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from common.errors import ForbiddenError, ThrottledError, UnauthorizedError
from coordinator.api.access import PartsOf, address_of
from coordinator.credentials.doorkeeper import MAY_READ
from coordinator.html.values import some
from coordinator.web.access import LOOKING, ReaderOf, places_of, sessions_of
from coordinator.web.addresses import local
from coordinator.web.forms import FormOf, asked_from_here
from coordinator.web.rendering import Page, render
from coordinator.web.screens import page_router
from coordinator.web.session import LIFE

router = page_router()


@router.get("/login")
async def ask(request: Request, reader: ReaderOf, then: str = "/") -> Response:
    """Return the form that takes the token."""
    return _form(request, reader, then, "", HTTPStatus.OK)


@router.post("/login")
async def sign_in(
    request: Request,
    reader: ReaderOf,
    parts: PartsOf,
    token: Annotated[str, Form(max_length=4096)] = "",
    then: Annotated[str, Form()] = "/",
) -> Response:
    """Open a session for who shows a token that opens the page, and go on to where they came from."""
    asked_from_here(request)
    address = address_of(request)
    try:
        role = parts.doorkeeper.admit(token.strip(), MAY_READ, address)
    except ThrottledError as error:
        wait = error.retry_after_seconds
        words = f"Too many wrong tokens came from here. Wait {some(wait, 'second')}, then try again."
        answer = _form(request, reader, then, words, HTTPStatus.TOO_MANY_REQUESTS)
        answer.headers["Retry-After"] = str(wait)
        return answer
    except ForbiddenError as error:
        words = f"{error.detail[:1].upper()}{error.detail[1:]}."
        return _form(request, reader, then, words, HTTPStatus.FORBIDDEN)
    except UnauthorizedError:
        return _form(request, reader, then, "That is not the token.", HTTPStatus.UNAUTHORIZED)
    parts.doorkeeper.throttle.succeeded(address)
    sessions = sessions_of(parts, role)
    done = RedirectResponse(local(then), HTTPStatus.SEE_OTHER)
    done.set_cookie(
        sessions.cookie,
        sessions.open(),
        max_age=int(LIFE.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return done


@router.post("/logout", dependencies=LOOKING)
async def sign_out(who: FormOf) -> Response:
    """Forget the session in this browser."""
    done = RedirectResponse("/", HTTPStatus.SEE_OTHER)
    done.delete_cookie(who.sessions.cookie, httponly=True, samesite="strict")
    return done


def _form(request: Request, reader: ReaderOf, then: str, refusal: str, status: HTTPStatus) -> Response:
    page = Page("login.html", "Sign in", {"then": local(then), "refusal": refusal})
    return HTMLResponse(render(page, "/login", reader, places_of(request)).html, status)
