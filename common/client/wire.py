"""HTTP/1.1 over connections to one address that are kept alive, by what Python itself knows of it.

A trainer asks for each job, and what its request takes of a processor, its candles wait for. A library with
more to it takes four times as long for a request.
"""

from __future__ import annotations

import http.client
import io
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote, urlsplit

MOST_CONNECTIONS = 8
PIECE_BYTES = 64 * 1024
"""What is long is sent in such pieces: a time limit holds for each, not for all of it."""
_PORTS = {"http": 80, "https": 443}
PLAIN = "/%:@!$&'()*+,;=~"
"""What stands as it is in a path, besides letters, digits and `_.-`; the rest is escaped."""


@dataclass(frozen=True)
class Reply:
    """What came back; `headers` are found by their names in any case."""

    status: int
    reason: str
    headers: Mapping[str, str]
    content: bytes


class Wire:
    """Connections to one address; safe to use from several threads.

    Parameters
    ----------
    url : str
        The address: ``http://HOST:PORT`` or ``https://HOST:PORT``, perhaps with a path before all others.
    connect_seconds, answer_seconds : float
        How long it may take until a connection is there, and until the next bytes of an answer come.
    idle_seconds : float
        A connection that was idle for longer is not used again.

    Raises
    ------
    ValueError
        It is no such address.
    """

    def __init__(
        self, url: str, *, connect_seconds: float, answer_seconds: float, idle_seconds: float
    ) -> None:
        split = urlsplit(url)
        if split.scheme not in _PORTS or not split.hostname:
            raise ValueError("it names no host to speak HTTP with")
        host, port = split.hostname.encode("idna").decode(), split.port or _PORTS[split.scheme]
        self._address = host, port
        named = f"[{host}]" if ":" in host else host
        self._named = named if port == _PORTS[split.scheme] else f"{named}:{port}"
        self._base = split.path
        self._tls = _authorities() if split.scheme == "https" else None
        self._connect_seconds = connect_seconds
        self._answer_seconds = answer_seconds
        self._idle_seconds = idle_seconds
        self._idle: list[tuple[socket.socket, float]] = []
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._is_closed = False

    def close(self) -> None:
        """Close all connections; one that is in use when its answer has come."""
        self._is_closed = True
        while self._idle:
            self._idle.pop()[0].close()

    def ask(
        self, method: str, target: str, content: bytes | None, headers: Mapping[str, str], most_bytes: int
    ) -> Reply:
        """Send a request and return what came back.

        Parameters
        ----------
        target : str
            Path and query.
        content : bytes or None
            The body, if there is one.
        most_bytes : int
            Content that is longer is cut off after one byte more.

        Raises
        ------
        OSError, http.client.HTTPException
            There was no whole answer.
        """
        request = self._request(method, target, content, headers)
        with self._connection() as connection:
            # With its header in one piece a small body is there when the other side first looks.
            for begin in range(0, len(request), PIECE_BYTES):
                connection.sendall(request[begin : begin + PIECE_BYTES])
            with _Response(connection, method=method) as response:
                response.begin()
                received = response.read(most_bytes + 1)
                if len(received) <= most_bytes and response.length:
                    raise http.client.IncompleteRead(received, response.length)
            if len(received) > most_bytes or response.will_close:
                connection.close()
            # The library's message can do what a mapping can, but is none by its type.
            return Reply(
                response.status, response.reason, cast(Mapping[str, str], response.headers), received
            )

    def _request(self, method: str, target: str, content: bytes | None, headers: Mapping[str, str]) -> bytes:
        path, mark, query = target.partition("?")
        lines = [
            f"{method} {self._base}{quote(path, safe=PLAIN)}{mark}{query} HTTP/1.1",
            f"Host: {self._named}",
            "Accept-Encoding: identity",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        if content is not None or method not in ("GET", "HEAD"):
            lines.append(f"Content-Length: {len(content or b'')}")
        if not all(map(str.isprintable, lines)):
            raise ValueError("a header with a line break or the like")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (content or b"")

    @contextmanager
    def _connection(self) -> Iterator[socket.socket]:
        if not self._free.acquire(timeout=self._answer_seconds):
            raise TimeoutError(f"{MOST_CONNECTIONS} other requests are not answered yet")
        try:
            connection = self._kept() or self._opened()
            try:
                yield connection
            except BaseException:
                # Something of its answer may still come, and would be taken for that to another request.
                connection.close()
                raise
            if self._is_closed:
                connection.close()
            elif connection.fileno() >= 0:
                self._idle.append((connection, time.monotonic()))
        finally:
            self._free.release()

    def _kept(self) -> socket.socket | None:
        """Return a connection that was used before and can be used again."""
        while True:
            try:
                # The one that was used last: the others may be left alone until they are closed.
                connection, since = self._idle.pop()
            except IndexError:
                return None
            if time.monotonic() - since <= self._idle_seconds and not _has_ended(connection):
                return connection
            connection.close()

    def _opened(self) -> socket.socket:
        connection = socket.create_connection(self._address, self._connect_seconds)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_hostname=self._address[0])
            connection.settimeout(self._answer_seconds)
        except BaseException:
            connection.close()
            raise
        return connection


class _Lines(io.BufferedReader):
    """What comes in; the library takes the end of a connection for the end of a header."""

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        if not line.endswith(b"\n") and len(line) != size:
            raise http.client.RemoteDisconnected("the connection was closed before the end of the answer")
        return line


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **others: Any) -> None:
        super().__init__(sock, *arguments, **others)
        self.fp = _Lines(self.fp.detach())


def _authorities() -> ssl.SSLContext:
    # Not of use on loopback, and to read all their certificates takes as long as ten requests.
    import certifi

    return ssl.create_default_context(cafile=certifi.where())


def _has_ended(connection: socket.socket) -> bool:
    """Return whether the other side has closed a connection, or said something that nobody asked for."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))
