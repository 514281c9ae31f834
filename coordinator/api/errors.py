"""Errors as they are answered over HTTP: problem details by RFC 9457, and what OpenAPI says about them."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from common.errors import (
    PROBLEM_MEDIA_TYPE,
    ConflictError,
    DigestMismatchError,
    ForbiddenError,
    InternalError,
    InvalidRequestError,
    NighttrainError,
    NotFoundError,
    StaleLeaseError,
    StorageError,
    ThrottledError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
)
from common.frozen import Frozen
from coordinator.store.errors import UnstorableError

logger = logging.getLogger(__name__)


class Problem(Frozen):
    """An error as RFC 9457 problem details."""

    type: str
    """Its kind: `urn:nighttrain:error:` and a stable code; `about:blank` where the status says it all."""
    title: str
    """Its kind in words."""
    status: int
    """The HTTP status of the answer."""
    detail: str
    """What happened and where, in one line."""
    hint: str
    """What can be done about it, in one line; empty if nothing can."""
    instance: str
    """The path of the request."""


RETRY_AFTER_SECONDS = 2
"""When to ask again for what could not be done just now, such as while the database is restarted."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
READING = (UnauthorizedError, ForbiddenError, ThrottledError, UnavailableError, StorageError)
"""Errors of whatever reads the database behind the check of the token."""

WRITING = (*READING, TooLargeError)
"""Errors of whatever takes a body as well."""

_TYPICAL = (
    InvalidRequestError("query.limt: there is no such parameter", "use some of limit, offset"),
    InternalError("a defect of the coordinator: KeyError", "see the coordinator's log, and report it"),
    UnauthorizedError(
        "the bearer token is missing",
        "send the content of the token file (`token` in the out folder) as Authorization: Bearer ...",
    ),
    ForbiddenError(
        "that is the trainers' token, and this needs the operator's",
        "send the content of the token file (`token` in the out folder) as Authorization: Bearer ...",
    ),
    ThrottledError(
        "the bearer token is wrong, and too many wrong ones came from this address",
        "wait 8 s, then send the right one",
    ),
    NotFoundError("there is no night 1"),
    ConflictError("night 1 is done and cannot be cancelled"),
    StaleLeaseError(
        "lease 5f3c0c6f9d8e4b0fa1b2c3d4e5f60718 is no longer held: expired (crash)",
        "drop the job and claim another",
    ),
    DigestMismatchError(
        "the artifact of 7 bytes has SHA-256 3a6eb079, but b94d27b9 was announced",
        "send it again",
    ),
    TooLargeError("the body has more than 8388608 bytes", "send less"),
    UnavailableError(
        "the database does not answer: database is locked", "the same request may succeed later"
    ),
    StorageError(
        "the database cannot be written: database or disk is full",
        "free some space; nothing stored is lost",
    ),
)
_EXAMPLES: dict[type[NighttrainError], NighttrainError] = {type(error): error for error in _TYPICAL}
_ANY = (InvalidRequestError, InternalError)
"""Errors that any request may meet: in the middleware, in the check of its parameters, or as a defect."""


def install(app: FastAPI) -> None:
    """Answer every error of an application as a problem."""
    app.add_exception_handler(NighttrainError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(UnstorableError, _unstorable)


def answer(error: NighttrainError, instance: str) -> JSONResponse:
    """Return the response to an error in a request for the path `instance`."""
    headers = {"WWW-Authenticate": "Bearer"} if error.kind.status == HTTPStatus.UNAUTHORIZED else {}
    if isinstance(error, ThrottledError):
        headers["Retry-After"] = str(error.retry_after_seconds)
    elif isinstance(error, UnavailableError):
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return JSONResponse(
        error.problem(instance), error.kind.status, headers=headers, media_type=PROBLEM_MEDIA_TYPE
    )


def answer_known(request: Request, error: NighttrainError | UnstorableError) -> JSONResponse:
    """Return the response to an error of a request that has come to its path."""
    return (_unstorable if isinstance(error, UnstorableError) else _known)(request, error)


def unexpected(error: Exception, instance: str) -> JSONResponse:
    """Log an error that nobody expected, and return a response that reveals nothing internal."""
    logger.error("%s: unexpected error", instance, exc_info=error)
    hint = "see the coordinator's log, and report it"
    return answer(InternalError(f"a defect of the coordinator: {type(error).__name__}", hint), instance)


def answers(*errors: type[NighttrainError] | NighttrainError) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of some errors and of those that any request may meet.

    Parameters
    ----------
    errors : type or instance of NighttrainError
        What an operation raises; of a type a typical example is shown. Those of one status share a response.
    """
    found: dict[int | str, dict[str, Any]] = {}
    for error in (*errors, *_ANY):
        example = error if isinstance(error, NighttrainError) else _EXAMPLES[error]
        kind = example.kind
        content = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}
        response = found.setdefault(
            kind.status, {"description": "", "content": {PROBLEM_MEDIA_TYPE: content}}
        )
        shown = response["content"][PROBLEM_MEDIA_TYPE]["examples"]
        if kind.code not in shown:
            response["description"] = ", or ".join(filter(None, (response["description"], kind.title)))
        shown[kind.code if kind.code not in shown else f"{kind.code}-{len(shown) + 1}"] = {
            "summary": example.detail,
            "value": example.problem(),
        }
    return found


def _known(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, NighttrainError)
    if error.kind.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("%s %s: %s", request.method, request.url.path, error)
    return answer(error, request.url.path)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    unknown = [
        mistake["loc"][1]
        for mistake in error.errors()
        if mistake["type"] == "extra_forbidden" and mistake["loc"][0] == "query"
    ]
    if unknown:
        return answer(_no_such_parameter(request, unknown[0]), request.url.path)
    mistakes = []
    for mistake in error.errors():
        place = ".".join(str(part) for part in mistake["loc"])
        mistakes.append(f"{place}: {mistake['msg'].removeprefix('Value error, ')}")
    return answer(InvalidRequestError("; ".join(mistakes[:10]), "see /openapi.json"), request.url.path)


def _no_such_parameter(request: Request, name: str) -> InvalidRequestError:
    operation = request.app.openapi()["paths"][request.scope["route"].path][request.method.lower()]
    known = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
    hint = f"use some of {', '.join(known)}" if known else "leave it out; this path takes none"
    return InvalidRequestError(f"query.{name}: there is no such parameter", hint)


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == HTTPStatus.NOT_FOUND:
        return answer(
            NotFoundError(f"there is nothing at {path}", "see /openapi.json for what there is"), path
        )
    if error.status_code == HTTPStatus.BAD_REQUEST:
        return answer(InvalidRequestError(f"body: {error.detail}", "send JSON in UTF-8"), path)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods(request))
    document = {
        "type": "about:blank",
        "title": HTTPStatus(error.status_code).phrase,
        "status": error.status_code,
        "detail": f"{request.method} {path}: {error.detail}",
        "hint": "see /openapi.json",
        "instance": path,
    }
    return JSONResponse(document, error.status_code, headers=headers, media_type=PROBLEM_MEDIA_TYPE)


def _methods(request: Request) -> list[str]:
    """Return all methods of a path; the router names those of the first route alone."""
    return [
        method
        for method in METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.router.routes
        )
    ]


def _unstorable(request: Request, error: Exception) -> JSONResponse:
    # Right by its type, but no column holds it; if the request brought no value, it is our own defect.
    path = request.url.path
    if not _has_values(request, error):
        return unexpected(error.__cause__ if isinstance(error.__cause__, Exception) else error, path)
    logger.warning("%s %s: a value cannot be stored: %s", request.method, path, error)
    what = f"the request has a value that cannot be stored: {error}"
    return answer(InvalidRequestError(what, "send whole characters and smaller numbers"), path)


def _has_values(request: Request, error: Exception) -> bool:
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    if isinstance(error.__cause__, UnicodeEncodeError):
        # Path and query are decoded without errors, so half a character comes in a body's JSON only.
        return has_body
    return bool(has_body or request.query_params or request.path_params)
