"""How long requests take, by route: around everything else, so that refusals count too."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coordinator.metrics.process import Measures

UNMATCHED = "unmatched"
"""The route of a path that is not declared: anybody can ask for any path, and labels must have a bound."""


class Latency:
    """Measures each request, from its first byte to the last of its answer.

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
        # Who goes away before the answer begins has been answered nothing: a server's error if anything.
        status = 500
        began = time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", UNMATCHED)
            self.measures.request_took(scope["method"], route, status, time.perf_counter() - began)
