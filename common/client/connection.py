"""The wire to a coordinator: requests, answers, and the one place where what goes wrong becomes an exception.

A problem document becomes the exception of `common.errors` that the coordinator raised; a connection that
fails or a bare 5xx becomes `UnavailableError`. Whether to try again is the caller's decision; `Backoff` and
`retry` serve it.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, ValidationError

from common.client.wire import Reply, Wire, WireError
from common.errors import (
    PROBLEM_MEDIA_TYPE,
    ConfigurationError,
    NighttrainError,
    StorageError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
    from_problem,
)
from common.quoted import escaped, harmless
from common.token_file import read_token

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 10.0
IDLE_SECONDS = 20.0
"""A connection idle for longer is not used again; the coordinator closes its end after a minute."""

MAX_ANSWER_BYTES = 64 * 1024 * 1024

USER_AGENT = "nighttrain"
"""Who asks; the coordinator keeps it with what an operator changes."""

ADDRESS = "write it as http://HOST:PORT"
SAME_VERSION = "is it a coordinator of the same version?"

AnswerT = TypeVar("AnswerT", bound=BaseModel)
T = TypeVar("T")


@dataclass
class Backoff:
    """Waits that grow exponentially, with full jitter, up to a cap, in seconds.

    Full jitter (each wait is uniform between 0 and the bound) keeps trainers that lost the same coordinator
    from coming back in step: M. Brooker, "Exponential backoff and jitter", AWS Architecture Blog, 2015.
    """

    base: float = 0.2
    cap: float = 5.0
    uniform: Callable[[float, float], float] = random.uniform
    failures: int = field(default=0, init=False)

    def wait(self) -> float:
        """Count a failure and return how long to wait."""
        bound = min(self.cap, self.base * 2.0 ** min(self.failures, 60))
        self.failures += 1
        return self.uniform(0.0, bound)

    def reset(self) -> None:
        """Start from the base again, after a success."""
        self.failures = 0


RETRIED = (UnavailableError, StorageError)
"""Errors that pass by themselves or by an operator's hand: the same request may succeed later."""


def retry(
    call: Callable[[], T],
    gave_up: Callable[[float], bool],
    backoff: Backoff,
    said: Callable[[NighttrainError], None],
) -> T | None:
    """Call until it succeeds; other errors than `RETRIED` are raised.

    Parameters
    ----------
    call : callable
        What to do.
    gave_up : callable
        Waits for so many seconds, and returns True if there is no point in continuing.
    backoff : Backoff
        How long to wait.
    said : callable
        Called with each failure.

    Returns
    -------
    object or None
        What `call` returned, or None after giving up.
    """
    while True:
        try:
            answer = call()
        except RETRIED as error:
            said(error)
            if gave_up(backoff.wait()):
                return None
        else:
            backoff.reset()
            return answer


@dataclass(frozen=True)
class Answer:
    """What came back for a request that succeeded; `said` begins a sentence about it."""

    said: str
    status: int
    headers: Mapping[str, str]
    content: bytes

    def read(self, model: type[AnswerT]) -> AnswerT:
        """Return the body as a `model`; if it is not one, something else than a coordinator answered."""
        try:
            return model.model_validate_json(harmless(self.content))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = "".join(f"{part}: " for part in first["loc"])
            what = f"{self.said} with something that is not a {model.__name__}: {place}{first['msg']}"
            raise ConfigurationError(escaped(what), SAME_VERSION) from error


class Connection:
    """Requests to one coordinator over connections that are kept alive; safe to use from several threads.

    Parameters
    ----------
    url : str
        Where the coordinator listens, for example ``http://127.0.0.1:5000``.
    token : Path or None
        The file with the bearer token; None where only public pages are read. It is read again when the
        token is refused, because it may be a new one.

    Attributes
    ----------
    failed : callable
        Called with the error of each request that fails, in the thread that sent it.

    Raises
    ------
    ConfigurationError
        The address or the token file cannot be used.
    """

    def __init__(self, url: str, token: Path | None) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Accept": f"application/json, {PROBLEM_MEDIA_TYPE}", "User-Agent": USER_AGENT}
        try:
            self._wire = Wire(
                self.url,
                connect_seconds=CONNECT_SECONDS,
                answer_seconds=ANSWER_SECONDS,
                idle_seconds=IDLE_SECONDS,
            )
        except ValueError as error:
            raise ConfigurationError(
                f"{url!r} is not the address of a coordinator: {error}", ADDRESS
            ) from error
        self._token_file = token
        self._token = read_token(token) if token is not None else ""
        self.failed: Callable[[NighttrainError], None] = lambda _: None

    def close(self) -> None:
        """Close all connections."""
        self._wire.close()

    def send(
        self,
        method: str,
        path: str,
        body: BaseModel | None = None,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str | int | None] | None = None,
    ) -> Answer:
        """Send a request and return what came back.

        Raises
        ------
        NighttrainError
            What the coordinator said, or that it did not answer; `failed` is called with it too.
        """
        sent = dict(headers or {})
        if body is not None:
            content = body.model_dump_json(by_alias=True).encode()
            sent["Content-Type"] = "application/json"
        try:
            try:
                return self._exchange(method, path, content, sent, query or {})
            except UnauthorizedError:
                if not self._has_new_token():
                    raise
                return self._exchange(method, path, content, sent, query or {})
        except NighttrainError as error:
            self.failed(error)
            raise

    def _has_new_token(self) -> bool:
        """Read the token again; return whether it is another one."""
        before = self._token
        if self._token_file is not None:
            # Halfway through a change there may be none in it.
            with suppress(ConfigurationError):
                self._token = read_token(self._token_file)
        return self._token != before

    def _exchange(
        self,
        method: str,
        path: str,
        content: bytes | None,
        headers: Mapping[str, str],
        query: Mapping[str, str | int | None],
    ) -> Answer:
        said = f"{self.url}{path} answered {method}"
        headers = {**self._headers, **headers}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            reply = self._wire.ask(method, path + _query(query), content, headers, MAX_ANSWER_BYTES)
        except WireError as error:
            what = f"the coordinator at {self.url} does not answer: {escaped(str(error))}"
            raise UnavailableError(what, "is it running?") from error
        logger.debug("%s with %d", said, reply.status)
        if len(reply.content) > MAX_ANSWER_BYTES:
            raise TooLargeError(f"{said} with more than {MAX_ANSWER_BYTES} bytes")
        if reply.status >= 300:
            raise _error(said, reply)
        return Answer(said, reply.status, reply.headers, reply.content)


def _query(values: Mapping[str, str | int | None]) -> str:
    given = {
        # As JSON has it.
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in values.items()
        if value is not None
    }
    return f"?{urlencode(given)}" if given else ""


def _error(said: str, reply: Reply) -> NighttrainError:
    if reply.headers.get("content-type", "").partition(";")[0] == PROBLEM_MEDIA_TYPE:
        try:
            document = json.loads(harmless(reply.content))
        except ValueError:
            document = None
        if isinstance(document, dict):
            return from_problem(document)
    said = f"{said} with {reply.status} {escaped(reply.reason)}"
    if reply.status >= 500:
        return UnavailableError(said, "is the coordinator starting or stopping?")
    if reply.status in (401, 403):
        return UnauthorizedError(said, "is it the token of this coordinator?")
    return ConfigurationError(said, SAME_VERSION)
