"""What open pages cost a real coordinator: 50 of them follow a night of the default grid.

The share of a processor is taken in turn without pages and with them. What else the machine does slows a
processor for a while and never speeds it up. `python -m tests.bench --only pages` measures this alone.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psutil

from common.settings.night import NightSettings
from tests.coordinator.web.loops import in_a_loop
from tests.trainer.real_night import Coordinator, RealNight, eventually
from trainer.sources.sample import write_sample

PAGES = 50
SECONDS = 3.0
OPENED_SECONDS = 60.0
DAYS = 2


def measured(rounds: int) -> dict[str, list[float]]:
    """Return by what was open the shares of a processor that the coordinator took, and the changes heard."""
    grid = NightSettings()
    with tempfile.TemporaryDirectory(prefix="nighttrain-bench-") as name:
        coordinator = Coordinator(
            Path(name), symbols=grid.symbols, timeframes=grid.timeframes, horizons=grid.horizons
        )
        night = RealNight(coordinator, Path(name))
        try:
            write_sample(night.data, grid.symbols, DAYS, 7, lambda *_: None)
            coordinator.start()
            night.begin()
            # What it costs to hear this trainer does not grow, so that the spans can be compared.
            night.start_trainer("step_long")
            eventually(lambda: any(one.progress for one in night.operator.status().trainers))
            assert coordinator.process is not None
            process = psutil.Process(coordinator.process.popen.pid)
            found = [in_a_loop(_one(process, coordinator.url)) for _ in range(rounds)]
        finally:
            night.close()
            coordinator.close()
    keys = ("alone", "with pages", "changes heard a page")
    return {key: [one[place] for one in found] for place, key in enumerate(keys)}


async def _one(process: psutil.Process, url: str) -> tuple[float, float, float]:
    alone = await _share(process)
    heard = [0] * PAGES
    limits = httpx.Limits(max_connections=PAGES)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits, trust_env=False) as client:
        pages = [asyncio.create_task(_look(client, heard, place)) for place in range(PAGES)]
        async with asyncio.timeout(OPENED_SECONDS):
            while not all(heard):
                await asyncio.sleep(0.05)
                _assert_open(pages)
        before = sum(heard)
        with_pages = await _share(process)
        changes = (sum(heard) - before) / PAGES
        # A page that was closed meanwhile would cost nothing.
        _assert_open(pages)
        for page in pages:
            page.cancel()
        await asyncio.gather(*pages, return_exceptions=True)
    return alone, with_pages, changes


def _assert_open(pages: list[asyncio.Task[None]]) -> None:
    if closed := [page for page in pages if page.done()]:
        raise RuntimeError(f"a page was closed: {closed[0].exception()!r}")


async def _share(process: psutil.Process) -> float:
    """The part of one processor that a process takes within some seconds."""
    before, began = process.cpu_times(), time.monotonic()
    await asyncio.sleep(SECONDS)
    after = process.cpu_times()
    return (after.user + after.system - before.user - before.system) / (time.monotonic() - began)


async def _look(client: httpx.AsyncClient, heard: list[int], place: int) -> None:
    """Open the first page and its stream, and count the changes that come."""
    found = re.search(r'hx-sse:connect="([^"]+)"', (await client.get("/")).text)
    if found is None:
        raise RuntimeError("the first page has no stream")
    async with client.stream("GET", found[1]) as answer:
        async for line in answer.aiter_lines():
            heard[place] += line.startswith("id:")


def rows(found: Any) -> Iterator[tuple[str, str, str]]:
    alone, with_pages = median(found["alone"]), median(found["with pages"])
    yield (
        f"{PAGES} open pages",
        f"{100 * (with_pages - alone):.1f} % of a processor",
        f"{100 * alone:.1f} % without; each page heard {median(found['changes heard a page']):.0f} changes",
    )
