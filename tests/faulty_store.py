"""A store that speaks as much S3 as reading takes, and fails as it is told to; it looks at no signature."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from tests.object_store import environment_of

BUCKET = "candles"
MODIFIED = "2026-03-02T01:02:03.000Z"


class FaultyStore:
    """Objects by their names; `fault` is asked before each answer.

    `fault(method, name)` returns None for an honest answer, a status with the store's code for an error, or
    how many bytes of an object to send before the connection is cut. `conditions` says whether If-Match is
    known.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.fault: Callable[[str, str], tuple[int, str] | int | None] = lambda method, name: None
        self.conditions = True
        self.listed_tag: Callable[[bytes], str] = _tag
        """The ETag of a content in a listing; stores differ in it."""
        self.tags = True
        """Whether answers have an ETag."""
        self.modified = "Mon, 02 Mar 2026 01:02:03 GMT"
        self.asked: list[tuple[str, str]] = []
        """What was asked for: ``list`` or ``get``, and the name with the range behind it."""
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                store._answer(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.environment = environment_of(self.url, "key", "secret")
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def gets(self) -> list[str]:
        return [name for what, name in self.asked if what == "get"]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        _, bucket, name = [*unquote(parts.path).split("/", 2), ""][:3]
        span = handler.headers.get("Range", "")
        what = "get" if name else "list"
        self.asked.append((what, f"{name} {span}".strip()))
        fault = self.fault(what, name)
        if isinstance(fault, tuple):
            self._send(handler, fault[0], f"<Error><Code>{fault[1]}</Code></Error>".encode())
        elif bucket != BUCKET:
            self._send(handler, 404, b"<Error><Code>NoSuchBucket</Code></Error>")
        elif not name:
            self._send(handler, 200, self._listing(parse_qs(parts.query).get("prefix", [""])[0]))
        elif name not in self.objects:
            self._send(handler, 404, b"<Error><Code>NoSuchKey</Code></Error>")
        elif self.conditions and handler.headers.get("If-Match", _tag(self.objects[name])) != _tag(
            self.objects[name]
        ):
            self._send(handler, 412, b"<Error><Code>PreconditionFailed</Code></Error>")
        else:
            self._send_object(handler, self.objects[name], span, fault)

    def _send_object(
        self, handler: BaseHTTPRequestHandler, content: bytes, span: str, cut: int | None
    ) -> None:
        first = int(span.removeprefix("bytes=").partition("-")[0]) if span else 0
        headers = {"Last-Modified": self.modified} | ({"ETag": _tag(content)} if self.tags else {})
        if span:
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        self._send(handler, 206 if span else 200, content[first:], headers, cut)

    def _listing(self, prefix: str) -> bytes:
        found = "".join(
            f"<Contents><Key>{escape(name)}</Key><Size>{len(content)}</Size>"
            f"<LastModified>{MODIFIED}</LastModified><ETag>{escape(self.listed_tag(content))}</ETag></Contents>"
            for name, content in sorted(self.objects.items())
            if name.startswith(prefix)
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{found}</ListBucketResult>".encode()

    @staticmethod
    def _send(
        handler: BaseHTTPRequestHandler,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        cut: int | None = None,
    ) -> None:
        handler.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            handler.send_header(key, value)
        handler.end_headers()
        handler.wfile.write(body if cut is None else body[:cut])
        handler.close_connection = cut is not None


def _tag(content: bytes) -> str:
    return f'"{hashlib.md5(content).hexdigest()}"'


@contextmanager
def faulty_store() -> Iterator[FaultyStore]:
    store = FaultyStore()
    try:
        yield store
    finally:
        store.close()
