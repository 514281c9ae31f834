"""Every error that crosses a boundary, in one table read by the server, the client and the command line.

A `NighttrainError` says what happened (`detail`) and what to do (`hint`). Its `kind` is the row of the table:
the stable code, the HTTP status it is served with (RFC 9457 problem+json) and the exit code a command ends
with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from common.quoted import escaped

PROBLEM_MEDIA_TYPE = "application/problem+json"
PROBLEM_TYPE_PREFIX = "urn:nighttrain:error:"


@dataclass(frozen=True)
class ErrorKind:
    """One row of the table: stable code, HTTP status, exit code of a command, short title."""

    code: str
    status: int
    exit_code: int
    title: str


class NighttrainError(Exception):
    """An error with a known cause.

    Parameters
    ----------
    detail : str
        What happened and where, in one line.
    hint : str, optional
        What the reader can do about it, in one line.
    """

    kind: ClassVar[ErrorKind] = ErrorKind("internal", 500, 1, "Internal error")

    def __init__(self, detail: str, hint: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.detail} ({self.hint})" if self.hint else self.detail

    def problem(self, instance: str = "") -> dict[str, Any]:
        """Return the RFC 9457 document of this error; `instance` is the path of the request."""
        return {
            "type": PROBLEM_TYPE_PREFIX + self.kind.code,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "hint": self.hint,
            "instance": instance,
        }


class ConfigurationError(NighttrainError):
    """A setting, option or file given by the user cannot be used."""

    kind = ErrorKind("configuration", 400, 2, "Configuration error")


class InvalidRequestError(NighttrainError):
    """A request's body or parameters do not fit the interface."""

    kind = ErrorKind("invalid-request", 422, 2, "Invalid request")


class UnauthorizedError(NighttrainError):
    """The bearer token is missing or wrong."""

    kind = ErrorKind("unauthorized", 401, 1, "Unauthorized")


class ForbiddenError(UnauthorizedError):
    """The bearer token is right, but of another role."""

    kind = ErrorKind("forbidden", 403, 1, "Forbidden")


class ThrottledError(UnauthorizedError):
    """The bearer token is wrong, and too many wrong ones have come from the same address.

    Parameters
    ----------
    retry_after_seconds : int
        When the address is listened to again; whoever has the right token need not wait.
    """

    kind = ErrorKind("throttled", 429, 1, "Too many wrong tokens")

    def __init__(self, detail: str, hint: str = "", retry_after_seconds: int = 1) -> None:
        super().__init__(detail, hint)
        self.retry_after_seconds = retry_after_seconds


class NotFoundError(NighttrainError):
    """No such run, job, lease or blob."""

    kind = ErrorKind("not-found", 404, 1, "Not found")


class ConflictError(NighttrainError):
    """The request contradicts the present state, for example a second run while one is going."""

    kind = ErrorKind("conflict", 409, 2, "Conflict")


class StaleLeaseError(NighttrainError):
    """The lease that a write names is no longer held; the write changed nothing."""

    kind = ErrorKind("stale-lease", 409, 1, "Stale lease")


class DigestMismatchError(NighttrainError):
    """Bytes do not have the digest that was announced for them."""

    kind = ErrorKind("digest-mismatch", 422, 1, "Digest mismatch")


class TooLargeError(NighttrainError):
    """A body is larger than the interface takes."""

    kind = ErrorKind("too-large", 413, 1, "Body too large")


class StorageError(NighttrainError):
    """A file or the database could not be written: disk full, read-only, no permission."""

    kind = ErrorKind("storage", 507, 1, "Storage error")


class UnavailableError(NighttrainError):
    """The coordinator is away, starting or stopping; the same request may succeed later."""

    kind = ErrorKind("unavailable", 503, 1, "Unavailable")


class DataError(NighttrainError):
    """Candles are missing, damaged or too few to train on; trying again cannot help."""

    kind = ErrorKind("data", 422, 1, "Data error")


class InternalError(NighttrainError):
    """A defect of Nighttrain itself."""


ERRORS: dict[str, type[NighttrainError]] = {
    error.kind.code: error
    for error in (
        ConfigurationError,
        InvalidRequestError,
        UnauthorizedError,
        ForbiddenError,
        ThrottledError,
        NotFoundError,
        ConflictError,
        StaleLeaseError,
        DigestMismatchError,
        TooLargeError,
        StorageError,
        UnavailableError,
        DataError,
        InternalError,
    )
}


def from_problem(document: dict[str, Any]) -> NighttrainError:
    """Turn a problem+json document back into the exception that it was made from.

    An unknown type becomes an `InternalError` that keeps the document's words. They become one line each, of
    what can be printed: whoever answers may be anybody.
    """
    code = str(document.get("type", "")).removeprefix(PROBLEM_TYPE_PREFIX)
    error = ERRORS.get(code, InternalError)
    detail = str(document.get("detail") or document.get("title") or "no detail given")
    return error(escaped(detail), escaped(str(document.get("hint") or "")))
