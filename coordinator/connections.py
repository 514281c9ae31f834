"""Connections as they come in: neither many idle ones nor slow ones keep others from being heard."""

from __future__ import annotations

import asyncio
import logging
import resource
import time
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from coordinator.listener import BACKLOG

logger = logging.getLogger(__name__)

HEADER_SECONDS = 10.0
"""How long the header of a request may take, and a new connection may say nothing."""
MOST_HEADER_BYTES = 64 * 1024
"""How much of a request may be no body: its header, and how a body that comes in pieces is framed."""
MOST_CONNECTIONS = 4096
DESCRIPTORS = 8192
"""File descriptors that are asked for at the start; the system may allow fewer."""
TURNS_TO_END = 3
"""Turns of asyncio's loop that accept before what the first of them accepted has made room: a connection is
accepted in one turn, given its transport in the next, counted in the third, and what it displaces is closed
in the fourth."""
KEPT_DESCRIPTORS = 96 + TURNS_TO_END * BACKLOG
"""Of those that the system allows so many are for files, the database, its own sockets, and for connections
that are accepted, each turn up to the backlog, before those above the limit are ended."""
TOLD_SECONDS = 60.0


def raise_descriptor_limit() -> None:
    """Ask the system for as many file descriptors as are useful, up to its hard limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def most_connections() -> int:
    """Return how many connections may be open at once."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(1, min(MOST_CONNECTIONS, soft - KEPT_DESCRIPTORS))


class Connection(HttpToolsProtocol):
    """One connection. If there are too many, the one that has been without a request for longest is ended.

    llhttp, which reads what comes in, takes a header of any length, lets a body pass that nobody waits for,
    and reads none where another protocol is asked for; here a header has a bound, a request that is answered
    before its end ends its connection, and one with a body asks for no other protocol.
    """

    _told: ClassVar[float] = float("-inf")
    _impatience: asyncio.TimerHandle | None = None
    _is_header_begun = False
    _header_bytes = 0
    _body_bytes = 0
    quiet_since: float = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP alone is listened on
        """Take a new connection in."""
        super().connection_made(transport)
        self.quiet_since = time.monotonic()
        self._impatience = self.loop.call_later(HEADER_SECONDS, self._give_up)
        if len(self.connections) > most_connections():
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Take in what was sent."""
        self._header_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._header_bytes > MOST_HEADER_BYTES + self._body_bytes:
            self.send_400_response(f"The header has more than {MOST_HEADER_BYTES} bytes.")
        elif self._impatience is None and (self._is_header_begun or self.is_quiet):
            # The rest of a header is still to come.
            self._impatience = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def on_message_begin(self) -> None:
        """Begin to read a request."""
        self._is_header_begun = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Begin to answer a request."""
        framed = {name for name, _ in self.headers} & {b"content-length", b"transfer-encoding"}
        if framed and self.parser.should_upgrade():
            # llhttp takes what follows such a header for another protocol's: it would be the next request.
            raise ValueError("an upgrade with a body")
        self._is_header_begun = False
        self._be_patient()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take in a part of a body."""
        self._header_bytes -= len(body)
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Have read all of a request."""
        self._header_bytes = self._body_bytes = 0
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._be_patient()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self.quiet_since = time.monotonic()
        if self.cycle.response_complete and self.cycle.more_body:
            # The rest of the body would be read as long as it comes, and then waited for.
            self.transport.close()
        super().on_response_complete()

    @property
    def is_quiet(self) -> bool:
        """Whether no request is under way."""
        return self.cycle is None or self.cycle.response_complete

    def _be_patient(self) -> None:
        if self._impatience is not None:
            self._impatience.cancel()
            self._impatience = None

    def _give_up(self) -> None:
        self._impatience = None
        if self.is_quiet:
            self.transport.close()

    def _make_room(self) -> None:
        quiet = [one for one in self.connections if isinstance(one, Connection) and one.is_quiet]
        # Whoever has just come is among them, so that there is always one.
        ended = min(quiet, key=lambda one: one.quiet_since)
        now = time.monotonic()
        if now - Connection._told >= TOLD_SECONDS:
            Connection._told = now
            logger.warning(
                "more than %d connections: those that ask for nothing are ended, the oldest first",
                most_connections(),
            )
        self.connections.discard(ended)
        ended.transport.abort()
