"""The morning report in a real browser: light, dark, on a phone and printed, without scripts or requests."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page

from tests.coordinator.web.conftest import TRAINED, Place
from tests.coordinator.web.eventful import HOSTILE, add_nights
from tests.coordinator.web.visiting import PHONE, SHOTS, WIDE, MakeVisit
from tests.trainer.real_night import Coordinator, RealNight

PRINTED = 1039
"""Pixels of a page of A4 across between its margins, at 96 pixels an inch."""


@pytest.fixture(scope="module")
def eventful(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A coordinator with a trained night, one of failures, and one that runs."""
    folder = tmp_path_factory.mktemp("reported")
    shutil.copytree(trained / "out", folder / "out", symlinks=True)
    add_nights(folder / "out")
    coordinator = Coordinator(folder, **{**TRAINED, "lease": {"seconds": 600}})
    place = Place(coordinator, RealNight(coordinator, folder))
    try:
        coordinator.start()
        yield place
    finally:
        coordinator.close()


@pytest.fixture(scope="module")
def files(eventful: Place, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The reports of the three nights as files by themselves, far from their coordinator."""
    folder = tmp_path_factory.mktemp("reports")
    found = {}
    for night in (1, 2, 3):
        answer = httpx.get(f"{eventful.url}/api/runs/{night}/report", trust_env=False)
        assert answer.status_code == 200
        found[night] = folder / f"night-{night}.html"
        found[night].write_bytes(answer.content)
    return found


def opened(browser: Browser, file: Path, dark: bool = False, phone: bool = False) -> tuple[Page, list[str]]:
    """A file in a window of its own without scripts, and what it asks for beside itself."""
    context = browser.new_context(
        viewport=PHONE if phone else WIDE,
        color_scheme="dark" if dark else "light",
        java_script_enabled=False,
    )
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri(), wait_until="networkidle")
    asked.remove(file.as_uri())
    return page, asked


@pytest.mark.parametrize("look", ["dark", "phone"])
@pytest.mark.parametrize("night", [1, 2, 3])
def test_a_report_is_read_without_scripts_and_asks_nobody(
    browser: Browser, files: dict[int, Path], night: int, look: str
) -> None:
    page, asked = opened(browser, files[night], look == "dark", look == "phone")
    assert asked == []
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"report-{night}-{look}.png", full_page=True)
    assert page.locator("h1").inner_text().startswith(f"Night {night}")
    assert page.locator("h2").all_inner_texts() == [
        "What would have made it faster",
        "Promoted, and why not",
        "AUC of each cell, with its 95 % interval",
        "Reliability: how true the probabilities are",
        "The last nights",
        "Failures",
        "What was found in the candles",
        "Time and memory of each job",
        "What each trainer did",
        "Every cell",
    ]
    page.context.close()


def test_a_report_of_the_coordinator_can_be_read_by_everybody(eventful: Place, visit: MakeVisit) -> None:
    # The dark changes contrasts, a phone widths; only the first has a trainer's curves.
    looks = ((1, False, False), (1, True, False), (1, False, True), (2, True, False), (3, False, True))
    for night, dark, phone in looks:
        at = visit(eventful.url, dark=dark, phone=phone)
        at.go(f"/nights/{night}/report")
        assert (night, at.barriers()) == (night, [])
        assert at.fits(), f"the report of night {night} is wider than the window"


def test_what_the_night_was_is_in_its_report(browser: Browser, files: dict[int, Path]) -> None:
    page, _ = opened(browser, files[1])
    # A real trainer measured the curves behind intervals and reliability.
    assert re.fullmatch(
        r"★?(promoted, )?0\.\d{3}\s*±0\.\d{3}",
        page.locator(".heat td.l3, .heat td.l4, .heat td.l5, .heat td.l6, .heat td.l7")
        .first.inner_text()
        .replace("\n", ""),
    )
    assert page.locator("svg.plot-reliability").count() >= 2
    assert page.locator("svg.plot-timeline").count() == 1
    assert page.locator("svg.plot-spread circle").count() >= 16
    assert (
        page.locator("section", has_text="Candles that cannot be trained on").get_by_text("NOCANDLES").count()
    )
    page.context.close()
    page, _ = opened(browser, files[3])
    assert page.locator("h1").inner_text().startswith("Night 3 so far: ")
    assert page.get_by_text("Models are decided on when all cells of the night are done.").count() == 1
    page.context.close()


@pytest.mark.parametrize("night", [1, 2])
def test_a_report_is_printed_without_a_cut(browser: Browser, files: dict[int, Path], night: int) -> None:
    page, _ = opened(browser, files[night], dark=True)
    page.emulate_media(media="print")
    page.set_viewport_size({"width": PRINTED, "height": 730})
    context = browser.new_context(viewport={"width": PRINTED, "height": 730}, color_scheme="dark")
    scripted = context.new_page()
    scripted.goto(files[night].as_uri())
    scripted.emulate_media(media="print")
    beyond = scripted.evaluate(
        """() => [...document.querySelectorAll('main *')].filter(one => one.getClientRects().length
        && !one.closest('svg *') && !one.classList.contains('unseen')
        && one.getBoundingClientRect().right > innerWidth + 1).map(one => one.outerHTML.slice(0, 120))"""
    )
    assert beyond == []
    assert scripted.evaluate("getComputedStyle(document.body).color") == "rgb(23, 32, 44)"
    printed = page.pdf(path=SHOTS / f"report-{night}.pdf", prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) >= 2
    context.close()
    page.context.close()


def test_what_comes_from_outside_is_text(browser: Browser, eventful: Place, files: dict[int, Path]) -> None:
    for night in (2, 3):
        html = files[night].read_text()
        assert HOSTILE not in html and "<script" not in html
    page, _ = opened(browser, files[2])
    assert page.get_by_text(HOSTILE).count() >= 1
    page.context.close()


def test_the_policy_lets_a_report_run_and_load_nothing_where_it_is_served(eventful: Place) -> None:
    for address in ("/api/runs/1/report", "/nights/1/report"):
        answer = httpx.get(f"{eventful.url}{address}", trust_env=False)
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-") and "script" not in policy
        assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_leads_to_the_report(eventful: Place, visit: MakeVisit) -> None:
    at = visit(eventful.url)
    at.go("/nights/2").get_by_role("link", name="Report").click()
    at.page.wait_for_url(re.compile(r"/nights/2/report$"))
    assert at.page.locator("h1").inner_text().startswith("Night 2: ")
    at.go("/").get_by_role("link", name="report so far").click()
    at.page.wait_for_url(re.compile(r"/nights/3/report$"))
    assert at.go("/nights").get_by_role("link", name="report", exact=True).count() == 3
