"""What changes on open pages, told to all who look at them over server-sent events.

One task renders each view that somebody looks at, once for all of them, compares it with the last rendering
part by part (`coordinator.web.fragments`), and tells what has changed. Each rendering has a number; an
event's id is that number behind the start of this process, so that a page that was away says by
`Last-Event-ID` what it has seen, and gets what changed since: parts that changed twice come once. A page
that saw another start of the coordinator gets everything.

Rendering is paced by what it costs: after a round that took long there is a long pause, so that the pages
take a small share of one processor however large the night is.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from fastapi.concurrency import run_in_threadpool
from fastapi.sse import ServerSentEvent
from markupsafe import escape

from common.errors import NighttrainError
from coordinator.web.fragments import outermost, whole

logger = logging.getLogger(__name__)

ROUND_SECONDS = 2.0
"""How often what is looked at is rendered, at most."""
SHARE = 1 / 40
"""Share of the time that rendering takes, while the pause that this needs is not too long."""
LONGEST_PAUSE_SECONDS = 5.0
BEAT_SECONDS = 5.0
"""How often a page hears that the coordinator is there while nothing changes."""
KEPT_VIEWS = 100
KEPT_CHARACTERS = 10_000_000
"""Views that nobody looks at are kept up to so many, and so many characters, for pages that come back."""

Render = Callable[[], dict[str, str]]
"""Renders a view and returns its parts by id; called in a thread of its own."""


@dataclass
class View:
    """What is looked at under one address by one kind of reader, as it was rendered last.

    `numbers` are those of its renderings, which no other view of the process has: one that was forgotten and
    is made again must not seem to be where a page is that knew the former. `changed` is the number of the
    rendering in which each part changed last; `number` that of the last one that differed, `began` when the
    last one began, by the monotonic clock. `characters` is how long all are.
    """

    render: Render
    numbers: Iterator[int]
    parts: dict[str, str] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    number: int = 0
    watchers: int = 0
    began: float = 0.0
    news: asyncio.Event = field(default_factory=asyncio.Event)
    failing: bool = False
    characters: int = 0
    _told: dict[int, str] = field(default_factory=dict)

    def accept(self, parts: dict[str, str], began: float) -> bool:
        """Take a rendering, and wake those who wait if it differs; False if one that began later is known."""
        if began < self.began:
            return False
        different = {one for one, body in parts.items() if self.parts.get(one) != body}
        self.began, self.failing = began, False
        if not different and len(parts) == len(self.parts):
            return True
        self.number = next(self.numbers)
        self.changed = {one: self.changed.get(one, 0) for one in parts} | dict.fromkeys(
            different, self.number
        )
        self.parts, self.characters = parts, sum(map(len, parts.values()))
        self._told.clear()
        self.news.set()
        self.news = asyncio.Event()
        return True

    def since(self, number: int) -> str:
        """Return what has changed after a rendering, as partial updates; they are made once for all."""
        if number not in self._told:
            later = {one for one in self.parts if self.changed[one] > number}
            self._told[number] = "".join(
                f'<hx-partial hx-target="#{escape(one)}" hx-swap="outerMorph">'
                f"{whole(self.parts[one], self.parts)}</hx-partial>"
                for one in outermost(later, self.parts)
            )
        return self._told[number]


class Live:
    """The views that are looked at.

    Parameters
    ----------
    stopping : callable
        Whether the process is about to end, so that open pages must be let go.
    """

    def __init__(self, stopping: Callable[[], bool] = lambda: False) -> None:
        self.stopping = stopping
        self.start = secrets.token_hex(4)
        self._views: OrderedDict[str, View] = OrderedDict()
        self._numbers = itertools.count(1)
        self._task: asyncio.Task[None] | None = None

    def accept(self, key: str, render: Render, parts: dict[str, str], began: float) -> str:
        """Take what was rendered for one page as the newest of its view, and return the id of that state.

        Parameters
        ----------
        key : str
            Names the view: its address, and who may see what in it.
        render : callable
            Renders it again.
        parts : dict of str to str
            What was rendered.
        began : float
            When that began, by the monotonic clock.
        """
        view = self._view(key, render)
        return self._identity(view.number if view.accept(parts, began) else 0)

    async def events(self, key: str, render: Render, seen: str) -> AsyncIterator[ServerSentEvent]:
        """Yield what changes in a view after the state `seen`, and now and then that nothing does."""
        view = self._view(key, render)
        number = self._number(seen)
        view.watchers += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._rounds())
        try:
            # Tells the page at once that it is connected, before there is news.
            yield ServerSentEvent(event="beat", raw_data="")
            while not self.stopping():
                news = view.news
                if view.number and (number is None or number != view.number):
                    known = number if number is not None and number <= view.number else 0
                    number = view.number
                    yield ServerSentEvent(raw_data=view.since(known), id=self._identity(number))
                    continue
                with suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), BEAT_SECONDS)
                    continue
                if not view.failing:
                    yield ServerSentEvent(event="beat", raw_data="")
        finally:
            view.watchers -= 1

    async def _rounds(self) -> None:
        """Render what is looked at, round by round, until nobody looks."""
        while watched := [view for view in self._views.values() if view.watchers]:
            if self.stopping():
                for view in watched:
                    view.news.set()
                return
            began, took = time.monotonic(), 0.0
            for view in watched:
                if began - view.began >= ROUND_SECONDS / 2:
                    took += await self._refresh(view)
            await asyncio.sleep(min(max(ROUND_SECONDS, took / SHARE), LONGEST_PAUSE_SECONDS))

    async def _refresh(self, view: View) -> float:
        """Render a view, and return how many seconds of a processor that took."""
        try:
            began = time.monotonic()
            parts, took = await run_in_threadpool(_timed, view.render)
            view.accept(parts, began)
            return took
        except NighttrainError as error:
            # The page keeps what it has, and says how old that is.
            view.failing = True
            logger.warning("an open page cannot be renewed: %s", error)
        except Exception:
            view.failing = True
            logger.exception("an open page cannot be renewed")
        return 0.0

    def _view(self, key: str, render: Render) -> View:
        view = self._views.setdefault(key, View(render, self._numbers))
        self._views.move_to_end(key)
        idle = [one for one, kept in self._views.items() if not kept.watchers and one != key]
        characters = 0
        for place, one in enumerate(reversed(idle)):
            characters += self._views[one].characters
            if place >= KEPT_VIEWS or characters > KEPT_CHARACTERS:
                del self._views[one]
        return view

    def _identity(self, number: int) -> str:
        return f"{self.start}.{number}"

    def _number(self, identity: str) -> int | None:
        start, _, number = identity.partition(".")
        return int(number) if start == self.start and number.isdecimal() and len(number) < 12 else None


def _timed(render: Render) -> tuple[dict[str, str], float]:
    # Not the time on the clock: on a busy machine that would slow the pages down for what others do.
    began = time.thread_time()
    return render(), time.thread_time() - began
