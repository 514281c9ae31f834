"""What goes with every answer of the page: its policy, that it is not kept, and that it is compressed."""

from __future__ import annotations

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coordinator.web.problems import OTHERS

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
SMALLEST_BYTES = 1000
LEVEL = 6


class PageHeaders:
    """Adds to the answers of pages what they need; those of the interface pass as they are.

    Parameters
    ----------
    app : ASGIApp
        The application.
    include : callable
        Called in a thread before the first page is asked for: it puts the pages into the application, if they
        are not there.
    """

    def __init__(self, app: ASGIApp, include: Callable[[], None]) -> None:
        self.app = app
        self.include = include
        self.is_included = False
        # Streams of events pass uncompressed: their parts must not wait for each other.
        self.compressing = GZipMiddleware(app, SMALLEST_BYTES, LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request by the ASGI protocol."""
        if scope["type"] != "http" or (scope["path"].startswith(OTHERS) and scope["path"][:7] != "/static"):
            await self.app(scope, receive, send)
            return

        if not self.is_included:
            await run_in_threadpool(self.include)
            self.is_included = True

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "private, no-cache")
            await send(message)

        await self.compressing(scope, receive, complete)
