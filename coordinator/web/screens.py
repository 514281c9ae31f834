"""How a screen is declared: what it shows is one function, which serves the page and its changes alike.

A screen's function takes the parameters of its path and query, checked as everywhere, and returns what reads
the night and says what to show. It is called for the page, and again and again while somebody looks at it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from coordinator.web.access import LOOKING, SAID, ReaderOf, places_of
from coordinator.web.live import Live
from coordinator.web.problems import PageRoute
from coordinator.web.rendering import Page, Place, Reader, render

Show = Callable[[], Page]
"""Reads what a screen shows now; called in a thread of its own."""


def live_of(request: Request) -> Live:
    """Return what tells the open pages of the application that serves a request."""
    live = request.app.state.live
    assert isinstance(live, Live)
    return live


LiveOf = Annotated[Live, Depends(live_of)]


def page_router() -> APIRouter:
    """Return a router for pages: its errors are pages too, and it is not in the interface's document."""
    return APIRouter(include_in_schema=False, route_class=PageRoute)


@dataclass(frozen=True)
class _View:
    """One page as one kind of reader sees it."""

    show: Show
    path: str
    reader: Reader
    places: tuple[Place, ...]

    def page(self, live_address: str) -> tuple[str, dict[str, str]]:
        """Return the page as HTML, and its parts."""
        done = render(self.show(), self.path, self.reader, self.places, live_address)
        return done.html, done.parts

    def parts(self) -> dict[str, str]:
        """Return the page's parts; they are the same for all readers of this kind."""
        return self.page(self.path)[1]


def add_screen(router: APIRouter, path: str, screen: Callable[..., Show]) -> None:
    """Serve a screen at a path, and its changes below it at `live`.

    Parameters
    ----------
    router : APIRouter
        A router of pages.
    path : str
        Where the screen is.
    screen : callable
        A dependency: takes parameters of path and query, and returns what reads the night. What it takes must
        be all that decides what is shown, for all readers of one address share a rendering.
    """
    shown = Depends(screen)
    below = path.rstrip("/") + "/live/{seen}"

    async def page(request: Request, reader: ReaderOf, live: LiveOf, show: Show = shown) -> Response:
        view, key = _looked_at(request, show, reader)
        address = f"{view.path.rstrip('/')}/live/{live.start}"
        query = f"?{request.url.query}" if request.url.query else ""
        began = time.monotonic()
        html, parts = await run_in_threadpool(view.page, address + query)
        # The state's name is known only after the rendering; until then its beginning stands for it.
        state = live.accept(key, view.parts, parts, began)
        answer = HTMLResponse(html.replace(address, address.replace(live.start, state), 1))
        if reader.said:
            # It is said once.
            answer.delete_cookie(SAID, httponly=True, samesite="strict")
        return answer

    async def changes(
        seen: str,
        request: Request,
        reader: ReaderOf,
        live: LiveOf,
        last_event_id: Annotated[str, Header()] = "",
        show: Show = shown,
    ) -> AsyncIterator[ServerSentEvent]:
        view, key = _looked_at(request, show, reader)
        async for event in live.events(key, view.parts, last_event_id or seen):
            yield event

    name = screen.__name__
    # The longer address first: a path with a parameter would swallow it.
    router.add_api_route(
        below, changes, response_class=EventSourceResponse, dependencies=LOOKING, name=f"{name}_changes"
    )
    router.add_api_route(path, page, dependencies=LOOKING, name=name, response_model=None)


def _looked_at(request: Request, show: Show, reader: Reader) -> tuple[_View, str]:
    path = request.url.path.rpartition("/live/")[0] if "/live/" in request.url.path else request.url.path
    path = path or "/"
    query = urlencode(sorted(request.query_params.multi_items()))
    view = _View(show, path, reader, places_of(request))
    return view, f"{path}?{query} {'steers' if reader.may_steer else 'reads'}"
