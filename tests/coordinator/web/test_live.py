"""Open pages hear what changed since they saw it last, once and rendered once for all."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi.sse import ServerSentEvent

from coordinator.assembly import Parts
from coordinator.web import live as module
from coordinator.web.live import Live
from tests.coordinator.web.loops import in_a_loop
from tests.coordinator.wire import begin


class Shown:
    """A view that counts how often it is rendered."""

    def __init__(self) -> None:
        self.parts = {"one": '<p id="one">1</p>', "two": '<p id="two">2</p>'}
        self.rendered = 0

    def __call__(self) -> dict[str, str]:
        self.rendered += 1
        return dict(self.parts)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROUND_SECONDS", 0.02)
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.1)


async def news(events: AsyncIterator[ServerSentEvent]) -> ServerSentEvent:
    async for event in events:
        if event.event != "beat":
            return event
    raise AssertionError("the stream ended")


def test_only_what_changed_is_sent_and_it_is_rendered_once_for_all() -> None:
    shown = Shown()

    async def scenario() -> None:
        live = Live()
        seen = live.accept("view", shown, shown(), 0.0)
        streams = [live.events("view", shown, seen) for _ in range(20)]
        waiting = [asyncio.create_task(news(stream)) for stream in streams]
        await asyncio.sleep(0.2)
        assert not any(task.done() for task in waiting)
        before = shown.rendered
        shown.parts["two"] = '<p id="two">new</p>'
        heard = await asyncio.gather(*waiting)
        assert {event.raw_data for event in heard} == {
            '<hx-partial hx-target="#two" hx-swap="outerMorph"><p id="two">new</p></hx-partial>'
        }
        assert shown.rendered - before <= 3
        for stream in streams:
            await stream.aclose()  # type: ignore[attr-defined]

    in_a_loop(scenario())


def test_a_page_that_was_away_gets_what_it_missed_and_a_strange_one_everything() -> None:
    shown = Shown()

    async def scenario() -> None:
        live = Live()
        seen = live.accept("view", shown, shown(), 0.0)
        for place, word in enumerate(("a", "b"), 1):
            shown.parts["one"] = f'<p id="one">{word}</p>'
            live.accept("view", shown, shown(), float(place))
        missed = await news(live.events("view", shown, seen))
        assert missed.raw_data is not None
        assert "b</p>" in missed.raw_data and "a</p>" not in missed.raw_data and "two" not in missed.raw_data
        for strange in ("", "0.0", "another.7", f"{seen}x"):
            everything = await news(live.events("view", shown, strange))
            assert everything.raw_data is not None and "two" in everything.raw_data
            assert everything.id == missed.id

    in_a_loop(scenario())


def test_a_rendering_that_was_overtaken_changes_nothing() -> None:
    shown = Shown()
    live = Live()
    old = shown()
    shown.parts["one"] = '<p id="one">new</p>'
    live.accept("view", shown, shown(), 2.0)
    stale = live.accept("view", shown, old, 1.0)

    async def scenario() -> str:
        return (await news(live.events("view", shown, stale))).raw_data or ""

    assert "new</p>" in in_a_loop(scenario())


def test_a_view_that_cannot_be_read_is_silent_so_that_the_page_says_how_old_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shown = Shown()

    def broken() -> dict[str, str]:
        raise OSError("the disk is gone")

    async def scenario() -> list[str | None]:
        live = Live()
        seen = live.accept("view", broken, shown(), 0.0)
        heard: list[str | None] = []
        stream = live.events("view", broken, seen)
        try:
            async with asyncio.timeout(0.5):
                while True:
                    heard.append((await anext(stream)).event)
        except TimeoutError:
            await stream.aclose()  # type: ignore[attr-defined]
        return heard

    assert in_a_loop(scenario()) == ["beat"]
    assert "cannot be renewed" in caplog.text


def test_pages_are_let_go_when_the_process_ends() -> None:
    shown = Shown()
    ending = []

    async def scenario() -> None:
        live = Live(lambda: bool(ending))
        seen = live.accept("view", shown, shown(), 0.0)
        task = asyncio.create_task(_until_end(live.events("view", shown, seen)))
        await asyncio.sleep(0.05)
        ending.append(True)
        await asyncio.wait_for(task, 5)

    async def _until_end(events: AsyncIterator[ServerSentEvent]) -> None:
        async for _ in events:
            pass

    in_a_loop(scenario())


def test_over_http_a_page_hears_of_a_night_that_begins(client: httpx.Client, parts: Parts) -> None:
    found = re.search(r'hx-sse:connect="([^"]+)"', client.get("/").text)
    assert found is not None
    with client.stream("GET", found[1]) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines) == "event: beat"
        begin(client)
        heard = ""
        while "</hx-partial>" not in heard:
            heard += next(lines)
    assert 'hx-target="#main"' in heard and "0 of 4 cells done" in heard


def test_views_that_nobody_looks_at_are_kept_as_long_as_they_are_small_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = Shown()
    size = sum(map(len, shown.parts.values()))
    monkeypatch.setattr(module, "KEPT_CHARACTERS", 2 * size)
    live = Live()
    states = [live.accept(f"view {number}", shown, shown(), 0.0) for number in range(4)]
    # No number comes again: a page that knew a forgotten view would take the new one for what it has.
    shown.parts["two"] = '<p id="two">3</p>'
    again = {number: live.accept(f"view {number}", shown, shown(), 1.0) for number in (3, 2, 1, 0)}
    assert [again[number] != states[number] for number in range(4)] == [True] * 4
