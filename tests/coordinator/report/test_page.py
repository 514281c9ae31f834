"""The report as a file: small, whole, without a script, and with nothing from outside but text."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from html.parser import HTMLParser

import pytest

from coordinator.report.contents import read_contents
from coordinator.report.digest import digest_of
from coordinator.report.page import policy, report_page
from tests.coordinator.report.large_night import PATIENT, TIMEFRAMES, Course, enlarged
from tests.coordinator.specimens import MakeNight, Night

ADDRESS = "http://127.0.0.1:5000"
LARGEST_BYTES = 3 * 10**6
EVIL = "</style></pre><script>alert(1)</script>\"'><img src=x onerror=alert(1)>&lt;"
VOID = {"meta", "link", "br", "img"}


class Reader(HTMLParser):
    """Reads a document as a browser does, and keeps what it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def made(night: Night, run: int = 1) -> str:
    found = read_contents(night.database, run, night.settings)
    return report_page(found, digest_of(found, ADDRESS), ADDRESS)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    return reader


@pytest.fixture
def eventful(make_night: MakeNight) -> Night:
    night = make_night(lease=PATIENT)
    for seed in (1, 2):
        night.begin(symbols=("BTCUSDT", "ETHUSDT", "DOGE1USDT"), timeframes=TIMEFRAMES, horizons=(1, 3))
        Course(night, 3, seed, EVIL).run()
    return night


def test_a_report_runs_nothing_and_loads_nothing(eventful: Night) -> None:
    html = made(eventful, 2)
    for tag, attributes in read(html).tags:
        assert tag not in {"script", "img", "iframe", "object", "embed", "form", "base", "video"}
        assert not [
            name for name in attributes if name.startswith("on") or name in {"src", "srcset", "style"}
        ]
        if "href" in attributes:
            address = attributes["href"] or ""
            assert address == "data:," or (tag == "a" and address.startswith(ADDRESS)), address
    assert "@import" not in html and "url(" not in html
    assert f'content="{policy()}"'.replace("'", "&#39;") in html


def test_what_comes_from_outside_is_text(eventful: Night) -> None:
    html = made(eventful, 2)
    reader = read(html)
    assert EVIL not in html and "<script" not in html and "onerror" in reader.text
    # As messages of failures, findings, names of trainers and first places.
    assert reader.text.count(EVIL) > 5


def test_a_thousand_cells_stay_below_three_megabytes_and_are_made_in_seconds(make_night: MakeNight) -> None:
    night = make_night(lease=PATIENT)
    symbols = ("AAAUSDT", "BBBUSDT", "CC1USDT")
    night.begin(symbols=symbols, timeframes=TIMEFRAMES, horizons=(1, 3, 5))
    Course(night, 4).run()
    found = enlarged(read_contents(night.database, 1, night.settings), 20)
    assert len(found.cells) == 1080
    began = time.process_time()
    html = report_page(found, digest_of(found, ADDRESS), ADDRESS)
    took = time.process_time() - began
    assert len(html.encode()) < LARGEST_BYTES, len(html.encode())
    assert took < 10, took
    # Every cell has a line of its own.
    assert len(set(re.findall(r'<th scope="row">(\w+USDT_\w+_H\d)</th>', html))) == 1080


def test_the_hash_of_the_policy_is_that_of_the_style(night: Night) -> None:
    night.start()
    html = made(night)
    style = re.search(r"<style>(.*)</style>", html, re.DOTALL)
    assert style is not None and "/*" not in style[1] and "--ground" in style[1] and "@page" in style[1]
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy()


def test_a_wide_grid_is_cut_between_timeframes_so_that_it_fits_a_page(night: Night) -> None:
    night.begin(symbols=("BTCUSDT",), timeframes=TIMEFRAMES, horizons=(1, 2, 3, 4, 5))
    html = made(night)
    assert html.count('<table class="heat">') == 2
    first, second = html.split('<table class="heat">')[1:3]
    assert 'colgroup">15m' in first and 'colgroup">1h' in second
