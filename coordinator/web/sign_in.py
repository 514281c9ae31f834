"""Signing in with the token, and out again."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from coordinator.html.values import some
from coordinator.web.access import LOOKING, ReaderOf, SessionsOf, places_of
from coordinator.web.addresses import local
from coordinator.web.forms import FormToken, asked_from_here
from coordinator.web.rendering import Page, render
from coordinator.web.screens import page_router
from coordinator.web.session import LIFE, Throttle

router = page_router()


@router.get("/login")
async def ask(request: Request, reader: ReaderOf, then: str = "/") -> Response:
    """Return the form that takes the token."""
    return _form(request, reader, then, "", HTTPStatus.OK)


@router.post("/login")
async def sign_in(
    request: Request,
    reader: ReaderOf,
    sessions: SessionsOf,
    token: Annotated[str, Form(max_length=4096)] = "",
    then: Annotated[str, Form()] = "/",
) -> Response:
    """Open a session for who shows the token, and go on to where they came from."""
    asked_from_here(request)
    throttle = request.app.state.throttle
    assert isinstance(throttle, Throttle)
    address = request.client.host if request.client is not None else ""
    cookie = sessions.open(token)
    wait = throttle.wait_seconds(address)
    # Whoever has the token is let in: behind a proxy one who guesses has the address of all.
    if cookie is None and wait:
        words = f"Too many wrong tokens came from here. Wait {some(wait, 'second')}, then try again."
        answer = _form(request, reader, then, words, HTTPStatus.TOO_MANY_REQUESTS)
        answer.headers["Retry-After"] = str(wait)
        return answer
    if cookie is None:
        throttle.failed(address)
        return _form(request, reader, then, "That is not the token.", HTTPStatus.UNAUTHORIZED)
    throttle.succeeded(address)
    done = RedirectResponse(local(then), HTTPStatus.SEE_OTHER)
    done.set_cookie(
        sessions.cookie,
        cookie,
        max_age=int(LIFE.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return done


@router.post("/logout", dependencies=LOOKING)
async def sign_out(_: FormToken, sessions: SessionsOf) -> Response:
    """Forget the session in this browser."""
    done = RedirectResponse("/", HTTPStatus.SEE_OTHER)
    done.delete_cookie(sessions.cookie, httponly=True, samesite="strict")
    return done


def _form(request: Request, reader: ReaderOf, then: str, refusal: str, status: HTTPStatus) -> Response:
    page = Page("login.html", "Sign in", {"then": local(then), "refusal": refusal})
    return HTMLResponse(render(page, "/login", reader, places_of(request)).html, status)
