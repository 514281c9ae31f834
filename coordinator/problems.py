"""Errors as they are answered over HTTP: problem details by RFC 9457, and what OpenAPI says of them."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from common.errors import (
    PROBLEM_MEDIA_TYPE,
    InternalError,
    InvalidRequestError,
    NighttrainError,
    NotFoundError,
    StorageError,
    UnavailableError,
)

logger = logging.getLogger(__name__)


class Problem(BaseModel):
    """An error as RFC 9457 problem details; `hint` says what can be done about it."""

    type: str
    title: str
    status: int
    detail: str
    hint: str
    instance: str


def install(app: FastAPI) -> None:
    """Answer every error of an application as a problem."""
    app.add_exception_handler(NighttrainError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OperationalError, _database)


def answer(error: NighttrainError, instance: str) -> JSONResponse:
    """Return the response to an error in a request for the path `instance`."""
    headers = {"WWW-Authenticate": "Bearer"} if error.kind.status == HTTPStatus.UNAUTHORIZED else None
    return JSONResponse(
        error.problem(instance), error.kind.status, headers=headers, media_type=PROBLEM_MEDIA_TYPE
    )


def unexpected(error: Exception, instance: str) -> JSONResponse:
    """Log an error that nobody expected, and return a response that tells nothing of the inside."""
    logger.error("%s: unexpected error", instance, exc_info=error)
    hint = "see the coordinator's log, and report it"
    return answer(InternalError(f"a defect of the coordinator: {type(error).__name__}", hint), instance)


def answers(*errors: type[NighttrainError]) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of the given errors; those with the same status share one."""
    found: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        kind = error.kind
        content = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}
        response = found.setdefault(
            kind.status, {"description": "", "content": {PROBLEM_MEDIA_TYPE: content}}
        )
        response["description"] = ", or ".join(filter(None, (response["description"], kind.title)))
        example = error((error.__doc__ or "").split("\n")[0]).problem("/api/…")
        response["content"][PROBLEM_MEDIA_TYPE]["examples"][kind.code] = {"value": example}
    return found


def from_database(error: OperationalError) -> NighttrainError:
    """Return what a failure of the database means: no space, no permission, or only busy for now."""
    reason = " ".join(str(error.orig).split())
    if any(
        word in reason for word in ("full", "readonly", "read-only", "unable to open", "disk I/O", "No space")
    ):
        return StorageError(
            f"the database cannot be written: {reason}", "free some space; nothing stored is lost"
        )
    return UnavailableError(f"the database does not answer: {reason}", "the same request may succeed later")


def _known(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, NighttrainError)
    if error.kind.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("%s %s: %s", request.method, request.url.path, error)
    return answer(error, request.url.path)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    mistakes = []
    for mistake in error.errors():
        place = ".".join(str(part) for part in mistake["loc"])
        mistakes.append(f"{place}: {mistake['msg'].removeprefix('Value error, ')}")
    return answer(InvalidRequestError("; ".join(mistakes[:10]), "see /openapi.json"), request.url.path)


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == HTTPStatus.NOT_FOUND:
        return answer(
            NotFoundError(f"there is nothing at {path}", "see /openapi.json for what there is"), path
        )
    document = {
        "type": "about:blank",
        "title": HTTPStatus(error.status_code).phrase,
        "status": error.status_code,
        "detail": f"{request.method} {path}: {error.detail}",
        "hint": "see /openapi.json",
        "instance": path,
    }
    return JSONResponse(document, error.status_code, headers=error.headers, media_type=PROBLEM_MEDIA_TYPE)


def _database(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, OperationalError)
    known = from_database(error)
    logger.error("%s %s: %s", request.method, request.url.path, known)
    return answer(known, request.url.path)
