"""HTTP/1.1 over connections to one address that are kept alive.

A trainer asks for each job, and its candles wait for what its request takes of a processor. So it is urllib3
here, which takes less than half of what httpx takes, for a request and to be imported.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, ProtocolError

MOST_CONNECTIONS = 8
PIECE_BYTES = 64 * 1024
"""A body is sent in such pieces: a time limit holds for each, not for all of a long one."""
PLAIN = "/%:@!$&'()*+,;=~"
"""What stands as it is in a path, besides letters, digits and `_.-`; the rest is escaped."""
NO_CONTENT = (204, 304)


@dataclass(frozen=True)
class Reply:
    """What came back; `headers` are found by their names in any case."""

    status: int
    reason: str
    headers: Mapping[str, str]
    content: bytes


class WireError(Exception):
    """There was no whole answer; the message says why."""


class _Plain(HTTPConnection):
    def __init__(self, *arguments: Any, idle_seconds: float, **others: Any) -> None:
        super().__init__(*arguments, **others)
        self._idle_seconds, self._last_used = idle_seconds, 0.0

    @property
    def is_connected(self) -> bool:
        return super().is_connected and time.monotonic() - self._last_used <= self._idle_seconds

    def request(self, *arguments: Any, **others: Any) -> None:
        self._last_used = time.monotonic()
        # In one piece, for which the coordinator is woken once: the library sends head and body apart.
        self._hold(1)
        super().request(*arguments, **others)
        self._hold(0)

    def _hold(self, back: int) -> None:
        if self.sock is not None:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, back)


class _Sealed(_Plain, HTTPSConnection):
    pass


class Wire:
    """Connections to one address; safe to use from several threads.

    Parameters
    ----------
    url : str
        The address: ``http://HOST:PORT`` or ``https://HOST:PORT``, perhaps with a path before all others.
    connect_seconds, answer_seconds : float
        How long it may take until a connection is there, and until the next bytes of an answer come.
    idle_seconds : float
        A connection that was asked for something longer ago is not used again.

    Raises
    ------
    ValueError
        It is no such address.
    """

    def __init__(
        self, url: str, *, connect_seconds: float, answer_seconds: float, idle_seconds: float
    ) -> None:
        split = urlsplit(url)
        if split.scheme not in ("http", "https") or not split.hostname:
            raise ValueError("it names no host to speak HTTP with")
        host, port = split.hostname.encode("idna").decode(), split.port
        self._base = split.path
        self._answer_seconds = answer_seconds
        given: dict[str, Any] = {
            "maxsize": MOST_CONNECTIONS,
            "block": True,
            "retries": False,
            "timeout": Timeout(connect=connect_seconds, read=answer_seconds),
            "blocksize": PIECE_BYTES,
            "idle_seconds": idle_seconds,
        }
        self._pool: HTTPConnectionPool
        if split.scheme == "http":
            self._pool = HTTPConnectionPool(host, port, **given)
            self._pool.ConnectionCls = _Plain
        else:
            # Not of use on loopback, and to read all their certificates takes as long as ten requests.
            import certifi

            self._pool = HTTPSConnectionPool(host, port, ca_certs=certifi.where(), **given)
            self._pool.ConnectionCls = _Sealed

    def close(self) -> None:
        """Close all connections; one that is in use when its answer has come."""
        self._pool.close()

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
        WireError
            There was no whole answer.
        """
        path, mark, query = target.partition("?")
        body: bytes | io.BytesIO | None = content
        if content is not None and len(content) > PIECE_BYTES:
            body, headers = io.BytesIO(content), {**headers, "Content-Length": str(len(content))}
        try:
            response = self._pool.urlopen(
                method,
                self._base + quote(path, safe=PLAIN) + mark + query,
                body=body,
                headers=headers,
                redirect=False,
                preload_content=False,
                decode_content=False,
                pool_timeout=max(1, round(self._answer_seconds)),
            )
            received = _content(response, most_bytes + 1)
        except (HTTPError, OSError) as error:
            raise WireError(_words(error)) from error
        return Reply(response.status, response.reason or "", response.headers, received)


def _content(response: BaseHTTPResponse, most_bytes: int) -> bytes:
    received = bytearray()
    try:
        has_end = response.headers.keys() & {"content-length", "transfer-encoding"}
        if not has_end and response.status not in NO_CONTENT:
            raise ProtocolError("the connection was closed, perhaps before the end of the answer")
        while part := response.read(most_bytes - len(received)):
            received += part
    except BaseException:
        # Something of its answer may still come, and would be taken for that to another request.
        response.close()
        raise
    if len(received) < most_bytes:
        response.release_conn()
    else:
        response.close()
    return bytes(received)


def _words(error: BaseException) -> str:
    """Return what went wrong below, in the system's words: the library's name its own objects."""
    while isinstance(error, HTTPError):
        causes = [one for one in (*error.args, error.__cause__) if isinstance(one, BaseException)]
        if not causes:
            break
        error = causes[0]
    return str(error) or type(error).__name__
