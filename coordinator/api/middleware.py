"""What every request passes first: a clock, the check of its host and size, and a net under everything."""

from __future__ import annotations

import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.errors import InvalidRequestError, NighttrainError, UnauthorizedError
from coordinator.api import errors
from coordinator.api.access import ADMITTED, OUTSIDE
from coordinator.api.bodies import UNKNOWN_DRAINED_BYTES, Bodies, assert_whole, drain, limit_of
from coordinator.credentials.doorkeeper import Doorkeeper, changed_by
from coordinator.credentials.proxies import Proxies
from coordinator.listener import is_loopback
from coordinator.metrics.process import Measures

READING_METHODS = ("GET", "HEAD", "OPTIONS")
UNMATCHED = "unmatched"
"""The route of an undeclared path: anyone can ask for any path, and the values of a label must be bounded."""


class Guard:
    """The outermost part of the application.

    On loopback a request must name the loopback in its Host header: a web page whose name was made to point
    here (DNS rebinding) names itself, and is refused. On a trusted network it may also name one of the
    coordinator's names there. Whoever changes something over the interface shows the token before any of its
    body is kept; bodies are read up to their limit before anything else happens. An exception that reaches
    this far is a defect; it is logged and answered as such.

    Parameters
    ----------
    app : ASGIApp
        The application.
    doorkeeper : Doorkeeper
        Knows what changes need.
    loopback : bool
        Whether the coordinator listens on a loopback address.
    trusted_hosts : tuple of str
        Its names on a trusted network; without any, and not on loopback, a request may name any host.
    proxies : Proxies
        Whose word is taken for where a request comes from.
    """

    def __init__(
        self,
        app: ASGIApp,
        doorkeeper: Doorkeeper,
        loopback: bool,
        trusted_hosts: tuple[str, ...] = (),
        proxies: Proxies | None = None,
    ) -> None:
        self.app = app
        self.doorkeeper = doorkeeper
        self.bodies = Bodies()
        self.checked = loopback or bool(trusted_hosts)
        self.trusted_hosts = frozenset(name.lower() for name in trusted_hosts)
        self.proxies = proxies or Proxies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request by the ASGI protocol."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            self._find_sender(scope)
            self._check_host(scope)
            await self._check_token(scope, receive)
            length = Headers(scope=scope).get("content-length", "")
            announced = int(length) if length.isdecimal() else None
            async with self.bodies.read(receive, limit_of(scope["path"]), announced) as body:
                if "json" in Headers(scope=scope).get("content-type", ""):
                    assert_whole(body)
                await self.app(scope, _replay(body, receive), watched)
        except NighttrainError as error:
            await errors.answer(error, scope["path"])(scope, receive, send)
        except Exception as error:
            response = errors.unexpected(error, scope["path"])
            if not started:
                await response(scope, receive, send)

    async def _check_token(self, scope: Scope, receive: Receive) -> None:
        if scope["method"] in READING_METHODS or not scope["path"].startswith("/api/"):
            return
        shown = Headers(scope=scope).get("authorization", "")
        address, _ = scope.get("client") or ("", 0)
        try:
            needed = changed_by(scope["path"])
            scope[ADMITTED] = self.doorkeeper.admit_header(shown, (needed,), address)
        except UnauthorizedError:
            await drain(receive, UNKNOWN_DRAINED_BYTES)
            raise

    def _find_sender(self, scope: Scope) -> None:
        headers, (peer, port) = Headers(scope=scope), scope.get("client") or ("", 0)
        forwarded_for = ",".join(headers.getlist("x-forwarded-for"))
        forwarded_proto = ",".join(headers.getlist("x-forwarded-proto"))
        sender = self.proxies.sender(peer, scope["scheme"], _host_of(scope), forwarded_for, forwarded_proto)
        scope["client"], scope["scheme"], scope[OUTSIDE] = (
            (sender.address, port),
            sender.scheme,
            sender.outside,
        )

    def _check_host(self, scope: Scope) -> None:
        if scope["http_version"] not in {"1.0", "1.1"}:
            raise InvalidRequestError(f"HTTP {scope['http_version']} is not spoken here", "speak HTTP/1.1")
        hosts = Headers(scope=scope).getlist("host")
        if len(hosts) > 1 or (not hosts and scope["http_version"] == "1.1"):
            raise InvalidRequestError(f"there are {len(hosts)} Host headers", "send one")
        named, host = "".join(hosts), _host_of(scope)
        known = is_loopback(host) or host in self.trusted_hosts or (host and host == self.proxies.name)
        if self.checked and not known:
            names = ["127.0.0.1", "localhost", *sorted(self.trusted_hosts)]
            hint = f"use {', '.join(f'http://{name}' for name in names[:-1])} or http://{names[-1]}"
            raise InvalidRequestError(f"the Host header says {named!r}", hint)


class Latency:
    """Measures each request, from its first byte to the last of its answer.

    A stream of events lasts as long as somebody looks at a page, which is no latency: it is left out.

    Parameters
    ----------
    app : ASGIApp
        The application.
    measures : Measures
        Where it is counted.
    """

    def __init__(self, app: ASGIApp, measures: Measures) -> None:
        self.app = app
        self.measures = measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request by the ASGI protocol."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # A client that leaves before the answer begins got no status: it counts as an error of the server.
        status = 500
        streams = False
        began = time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status, streams
            if message["type"] == "http.response.start":
                status = message["status"]
                kind = Headers(raw=message["headers"]).get("content-type", "")
                streams = kind.startswith("text/event-stream")
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", UNMATCHED)
            if not streams:
                self.measures.request_took(scope["method"], route, status, time.perf_counter() - began)


def _host_of(scope: Scope) -> str:
    named = Headers(scope=scope).get("host", "")
    host = named.rpartition(":")[0] if not named.endswith("]") and ":" in named else named
    return host.strip("[]").lower()


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
