"""Errors as pages: what is wrong, what can be done, and a way back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from common.errors import NighttrainError
from coordinator.store.errors import UnstorableError
from coordinator.web.access import SignInFirst, places_of, reader_of, signed_in_as
from coordinator.web.rendering import Page, render

logger = logging.getLogger(__name__)

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

SHOWN = 60
"""Characters of a wrong value that are shown."""

OTHERS = ("/api", "/docs", "/openapi.json", "/metrics", "/healthz", "/readyz", "/static")
"""Paths below which nothing is a page."""


class PageRoute(APIRoute):
    """A route whose errors are pages."""

    def get_route_handler(self) -> Handler:
        """Return what answers a request."""
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except Exception as error:
                return answer_to(request, error)

        return answer


MISTYPED = "the address was mistyped, or is of another version of this page"
HEADINGS = {
    HTTPStatus.NOT_FOUND: "That is not here",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The address asks for something that cannot be shown",
    HTTPStatus.METHOD_NOT_ALLOWED: "That cannot be done here",
    HTTPStatus.CONFLICT: "That cannot be done now",
    HTTPStatus.FORBIDDEN: "That was refused",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something broke in the coordinator",
}
"""What a page about an error is headed by; HTTP's own words say nothing to a reader."""


def install(app: FastAPI) -> None:
    """Let a browser that asks for a page that does not exist have a page that says so."""
    otherwise = app.exception_handlers[HTTPException]

    def answer(request: Request, error: Exception) -> Any:
        assert isinstance(error, HTTPException)
        wants_page = "text/html" in request.headers.get("Accept", "")
        if wants_page and not request.url.path.startswith(OTHERS):
            return answer_to(request, error)
        return otherwise(request, error)

    app.add_exception_handler(HTTPException, answer)


def answer_to(request: Request, error: Exception) -> Response:
    """Return the page about an error."""
    if isinstance(error, SignInFirst):
        if "/live/" in request.url.path:
            return Response("sign in first", HTTPStatus.UNAUTHORIZED, media_type="text/plain")
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        back = here if request.method == "GET" else "/"
        return RedirectResponse(f"/login?{f'then={quote(back)}'}", HTTPStatus.SEE_OTHER)
    if isinstance(error, NighttrainError):
        status = HTTPStatus(error.kind.status)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            logger.error("%s %s: %s", request.method, request.url.path, error)
        return problem_page(request, status, error.detail, error.hint)
    if isinstance(error, RequestValidationError):
        words = "; ".join(_words(mistake) for mistake in error.errors()[:5])
        return problem_page(request, HTTPStatus.UNPROCESSABLE_ENTITY, words, MISTYPED)
    if isinstance(error, UnstorableError):
        detail = "the address has a value that cannot be looked up"
        return problem_page(request, HTTPStatus.UNPROCESSABLE_ENTITY, detail, MISTYPED)
    if isinstance(error, HTTPException):
        status = HTTPStatus(error.status_code)
        missing = status == HTTPStatus.NOT_FOUND
        detail = f"there is no page {request.url.path}" if missing else str(error.detail)
        return problem_page(request, status, detail, "")
    logger.error("%s: unexpected error", request.url.path, exc_info=error)
    detail = f"a defect of the coordinator: {type(error).__name__}"
    hint = "the coordinator's log says more; please report it"
    return problem_page(request, HTTPStatus.INTERNAL_SERVER_ERROR, detail, hint)


def problem_page(request: Request, status: HTTPStatus, detail: str, hint: str) -> Response:
    """Return a page that says what is wrong."""
    shown = {place.address: place.name for place in places_of(request)}
    path = request.url.path
    # The screen itself, without what is wrong in the address: as much of the way as leads somewhere.
    near = next((one for one in shown if one != "/" and path.startswith(one)), "/")
    back = [(near, shown[near])] if near in shown and near != "/" and status < 500 else []
    content = {"detail": detail, "hint": hint, "back": [*back, ("/", "Night")]}
    page = Page("problem.html", HEADINGS.get(status, "This did not work"), content)
    reader = reader_of(request, signed_in_as(request, request.app.state.parts))
    return HTMLResponse(render(page, request.url.path, reader, places_of(request)).html, status)


def _words(mistake: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in mistake["loc"][1:])
    given = str(mistake.get("input"))[:SHOWN]
    if mistake["type"] == "extra_forbidden":
        return f"there is nothing called {place!r} to choose by on this screen"
    name = place.partition(".")[0]
    name = {"run": "night"}.get(name, name)
    return f"{given!r} is no {name} that can be shown: {_expected(mistake)}"


def _expected(mistake: dict[str, Any]) -> str:
    """Return what would have been right, in words that need no knowledge of programs."""
    kind, limits = mistake["type"], mistake.get("ctx", {})
    if kind.startswith("int"):
        return "a whole number is needed"
    if kind in ("greater_than_equal", "less_than_equal"):
        return f"at {'least' if kind.startswith('g') else 'most'} {limits['ge' if kind[0] == 'g' else 'le']}"
    if kind in ("enum", "literal_error"):
        return f"one of {limits['expected'].replace(chr(39), '')}"
    if kind.startswith(("datetime", "timezone")):
        return "a time like 2026-03-02T14:00:00Z is needed"
    if kind.startswith("bool"):
        return "true or false is needed"
    return str(mistake["msg"]).removeprefix("Value error, ")
