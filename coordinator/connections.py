"""Connections as they come in: neither many idle ones nor slow ones keep others from being heard."""

from __future__ import annotations

import asyncio
import logging
import resource
import time
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from coordinator.listener import BACKLOG

logger = logging.getLogger(__name__)

HEADER_SECONDS = 10.0
"""How long the header of a request may take, and a new connection may say nothing."""
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


class Connection(H11Protocol):
    """One connection. If there are too many, the one that has been without a request for longest is ended."""

    _told: ClassVar[float] = float("-inf")
    _impatience: asyncio.TimerHandle | None = None
    quiet_since: float = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a new connection in."""
        super().connection_made(transport)
        self.quiet_since = time.monotonic()
        self._impatience = self.loop.call_later(HEADER_SECONDS, self._give_up)
        if len(self.connections) > most_connections():
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Take in what was sent."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._be_patient()
        elif self._impatience is None:
            # The rest of a header is still to come.
            self._impatience = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._be_patient()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self.quiet_since = time.monotonic()
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
