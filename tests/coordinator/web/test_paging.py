"""A night with more symbols than a screen has room for: each is found, and failures are seen first."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from sqlalchemy import update

from common.protocol.jobs import Cause, JobKind, JobState
from coordinator.assembly import Parts
from coordinator.store.tables import jobs
from coordinator.web.paging import ROWS
from tests.coordinator.specimens import Night, settings
from tests.coordinator.web.test_screens import read

SYMBOLS = tuple(f"S{number:03d}USDT" for number in range(2 * ROWS + 5))


@pytest.fixture
def large(parts: Parts, tmp_path: Path) -> Night:
    """A night that has just begun, of two pages and a bit."""
    night = Night(parts.database, settings(), tmp_path)
    night.begin(symbols=SYMBOLS, timeframes=("1h",), horizons=(1, 3))
    return night


def rows(html: str) -> list[str]:
    return re.findall(r'<th id="symbol-\d+" scope="row">(\w+)', html)


@pytest.mark.parametrize("path", ["/", "/nights/1"])
def test_the_pages_of_a_grid_hold_each_symbol_once(client: httpx.Client, large: Night, path: str) -> None:
    seen, address = [], path
    while address:
        html = read(client, address)
        assert len(rows(html)) <= ROWS and html.count('id="cell-') == 2 * len(rows(html))
        seen += rows(html)
        further = re.search(r'href="(\?[^"]+)" rel="next"', html)
        address = path + further[1] if further else ""
    assert tuple(seen) == SYMBOLS
    assert f"Symbols 201 to {len(SYMBOLS)} of {len(SYMBOLS)}" in html and 'rel="prev"' in html


def change(night: Night, symbol: str, **values: object) -> None:
    with night.database.write() as tx:
        cells = update(jobs).where(jobs.c.symbol == symbol, jobs.c.kind == JobKind.TRAINING)
        tx.connection.execute(cells.values(started=tx.now, finished=tx.now, **values))


def test_what_broke_is_on_the_first_page_and_what_is_sought_too(client: httpx.Client, large: Night) -> None:
    change(large, SYMBOLS[-1], state=JobState.FAILED, cause=Cause.ERROR, message="it broke")
    change(large, SYMBOLS[-2], state=JobState.FAILED, cause=Cause.DATA, message="no candles")
    html = read(client, "/")
    assert rows(html)[:2] == [SYMBOLS[-1], SYMBOLS[0]] and "failures come first" in html
    assert rows(read(client, "/?state=untrainable"))[:2] == [SYMBOLS[-2], SYMBOLS[0]]
    assert rows(read(client, "/?state=untrainable&state=failed"))[:2] == [SYMBOLS[-2], SYMBOLS[-1]]
    # The next page is of the same order.
    assert f"?state=failed&amp;offset={ROWS}" in read(client, "/?state=failed")


def test_a_symbol_among_many_is_found_by_part_of_its_name(client: httpx.Client, large: Night) -> None:
    html = read(client, "/?find=s20")
    assert rows(html) == list(SYMBOLS[200:]) and 'rel="next"' not in html
    assert 'type="search"' in html and 'value="s20"' in html
    assert rows(read(client, f"/?symbol={SYMBOLS[150]}")) == [SYMBOLS[150]]
    assert rows(read(client, "/?offset=100000")) == list(SYMBOLS[200:])


def test_the_candles_of_many_symbols_are_shown_a_page_at_a_time(client: httpx.Client, large: Night) -> None:
    html = read(client, f"/data?offset={ROWS}")
    assert html.count("It is not surveyed yet") == ROWS and f'<h2 id="symbol-1">{SYMBOLS[ROWS]}</h2>' in html
    assert f"Candles of {len(SYMBOLS)} symbols" in html
    assert read(client, "/data?find=S007").count("It is not surveyed yet") == 1
