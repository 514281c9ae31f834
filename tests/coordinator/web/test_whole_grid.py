"""The whole default grid, trained by real trainers, in a real browser; and a grid of a thousand cells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from common.settings.night import NightSettings
from tests.coordinator.web.conftest import MakePlace, Place
from tests.coordinator.web.visiting import SHOTS, MakeVisit
from tests.trainer.real_night import Coordinator, RealNight, eventually
from trainer.sources.sample import write_sample

DAYS = 60
LONGEST_TASK_MS = 1000
"""What may keep a browser from answering to keys at a thousand cells, on a machine that is busy otherwise."""
TOP = {"width": 1280, "height": 1640}
SHEET_PIXELS = 1046
"""Width of a landscape sheet of A4 within its margins."""
WATCH = """() => {
    window.longest = 0;
    new PerformanceObserver(list => {
        for (const one of list.getEntries()) window.longest = Math.max(window.longest, one.duration);
    }).observe({type: 'longtask', buffered: true});
}"""
MOVING = """() => {
    const found = [];
    const walk = rules => { for (const rule of rules) {
        if (rule instanceof CSSMediaRule) { if (matchMedia(rule.conditionText).matches) walk(rule.cssRules); }
        else if (rule.style && parseFloat(rule.style.transitionDuration) > 0) found.push(rule.selectorText);
    } };
    for (const sheet of document.styleSheets) walk(sheet.cssRules);
    return found;
}"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A night of the default grid that is over; two of its timeframes need more days than there are."""
    folder = tmp_path_factory.mktemp("whole")
    grid = NightSettings()
    asked = {"symbols": grid.symbols, "timeframes": grid.timeframes, "horizons": grid.horizons}
    coordinator = Coordinator(folder, **asked, n_splits=grid.n_splits)
    night = RealNight(coordinator, folder)
    try:
        write_sample(night.data, grid.symbols, DAYS, 7, lambda *_: None)
        coordinator.start()
        night.begin()
        for name in ("trainer-1", "trainer-2"):
            night.start_trainer(name=name)
        eventually(night.is_done, 600)
        yield Place(coordinator, night)
    finally:
        night.close()
        coordinator.close()


@pytest.mark.parametrize("look", ["light", "phone"])
def test_the_default_grid_is_seen_whole(whole: Place, visit: MakeVisit, look: str) -> None:
    at = visit(whole.url, dark=look == "phone", phone=look == "phone")
    page = at.go("/")
    page.locator("#connection").get_by_text("live").wait_for()
    headline = page.get_by_role("heading", level=1).inner_text()
    assert headline == "Night 1 is over: 72 of 108 cells trained, 36 not trainable"
    assert page.locator(".grid tbody td").count() == 108 and page.locator(".grid td.void").count() == 36
    assert at.fits()
    at.assert_nothing_is_hidden_silently()
    assert page.locator(".grid-place[data-scrolls]").count() == (look == "phone")
    at.shot(f"whole-night-{look}")
    if look == "light":
        # The picture in the README, docs/night.png, is a copy of this one.
        page.screenshot(path=SHOTS / "readme-night.png", full_page=True)
    for path in ("/models", "/nights/1", "/timeline", "/data", "/failures"):
        at.go(path)
        at.shot(f"whole{path.replace('/', '-')}-{look}")
        assert at.fits(), path
        at.assert_nothing_is_hidden_silently()
    at.go("/jobs/8")
    assert page.get_by_text("valid: nothing has seen the future").is_visible()
    if look == "light":
        # So is docs/job.png a copy of this one.
        page.screenshot(path=SHOTS / "readme-job.png", clip={"x": 0, "y": 0, **TOP}, full_page=True)


def test_cells_of_too_few_candles_are_told_apart_from_failures(whole: Place, visit: MakeVisit) -> None:
    page = visit(whole.url).go("/failures")
    headline = page.get_by_role("heading", level=1).inner_text()
    assert headline == "No job failed in night 1, 36 are not trainable"
    assert page.locator("section[id^=group-]").count() == 4
    assert "nothing broke" in page.inner_text("main").lower()


def test_a_printed_night_is_dark_on_white_and_wholly_on_its_sheet(
    whole: Place, visit: MakeVisit, tmp_path: Path
) -> None:
    at = visit(whole.url, dark=True)
    page = at.go("/")
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": SHEET_PIXELS, "height": 720})
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    ink = page.evaluate("getComputedStyle(document.querySelector('h1')).color.match(/\\d+/g).map(Number)")
    assert max(ink) < 100
    for gone in ("header nav", ".filters", "footer"):
        assert not page.locator(gone).is_visible(), gone
    ends = page.evaluate(
        "[...document.querySelectorAll('.grid td')].map(one => one.getBoundingClientRect().right)"
    )
    assert max(ends) <= SHEET_PIXELS
    page.pdf(path=tmp_path / "night.pdf", prefer_css_page_size=True)
    at.shot("whole-night-print")


def test_nothing_moves_for_those_who_want_no_motion(whole: Place, visit: MakeVisit) -> None:
    assert visit(whole.url).go("/").evaluate(MOVING) != []
    still = visit(whole.url, reduced_motion="reduce")
    assert still.go("/").evaluate(MOVING) == []


def test_a_thousand_cells_do_not_keep_the_browser_from_answering(places: MakePlace, visit: MakeVisit) -> None:
    symbols = [f"S{number:03d}USDT" for number in range(56)]
    place = places(symbols=symbols, timeframes=list(NightSettings().timeframes), horizons=[1, 3, 5])
    place.night.begin()
    at = visit(place.url)
    at.page.add_init_script(f"({WATCH})()")
    page = at.go("/")
    page.locator("#connection").get_by_text("live").wait_for()
    assert page.locator(".grid tbody td").count() == 56 * 18
    first = page.locator(".grid tbody a").first
    first.focus()
    for key in ("ArrowRight", "ArrowDown", "End", "Home"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.closest('.grid') !== null")
    # Many cells change at once, and are seen to change without reload.
    every = httpx.get(f"{place.url}/api/jobs?run={place.night.run}&kind=training&limit=40", trust_env=False)
    headers = {"Authorization": f"Bearer {place.token}"}
    for job in every.json()["jobs"]:
        answer = httpx.post(
            f"{place.url}/api/jobs/{job['id']}/cancel", json={}, headers=headers, trust_env=False
        )
        assert answer.status_code == 200, json.dumps(answer.json())
    eventually(lambda: page.locator(".grid td", has_text="⊘").count() == 40)
    longest = page.evaluate("window.longest")
    assert longest < LONGEST_TASK_MS, f"a task of {longest:.0f} ms"
