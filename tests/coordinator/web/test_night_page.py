"""The first screen in a real browser: what is seen of a night, and that it stays true without reload."""

from __future__ import annotations

import pytest

from common.protocol.runs import RunRequest
from common.settings.grid import GridConfig
from tests.coordinator.web.conftest import MakePlace, Place
from tests.coordinator.web.visiting import MakeVisit
from tests.trainer.real_night import eventually


@pytest.fixture(scope="module")
def running(places: MakePlace) -> Place:
    """A night of which one cell is always being trained, fold after fold."""
    place = places(horizons=[1, 3, 5], max_wait_seconds=60)
    place.night.begin()
    place.night.start_trainer("fold_long", name="trainer-1")
    eventually(lambda: any(one.progress for one in place.night.operator.status().trainers))
    return place


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_a_night_is_seen_at_a_glance(place: Place, visit: MakeVisit, look: str) -> None:
    at = visit(place.url, dark=look == "dark", phone=look == "phone")
    page = at.go("/")
    page.locator("#connection:not([hidden])").wait_for()
    at.shot(f"night-{look}")
    headline = "Night 1 is over: 8 of 12 cells trained, 4 not trainable"
    assert page.get_by_role("heading", level=1).inner_text() == headline
    assert page.title() == "12/12 over · Nighttrain"
    assert "Synthetic candles" in page.inner_text("main")
    assert page.locator(".grid td.void").count() == 4 and page.locator(".grid td.bad").count() == 0
    assert page.locator(".grid td", has_text="0.").count() == 8
    assert at.barriers() == []
    assert at.fits()


def test_what_trainers_do_is_seen_without_reload(running: Place, visit: MakeVisit) -> None:
    at = visit(running.url)
    page = at.go("/")
    page.set_viewport_size({"width": 1280, "height": 500})
    page.evaluate("window.sameDocument = true")
    cell = page.locator(".grid td.run").first
    cell.wait_for()
    before = cell.inner_text()
    page.locator("summary", has_text="State").click()
    page.locator(".grid tbody a").nth(3).focus()
    focused = page.evaluate("document.activeElement.closest('td').id")
    page.mouse.wheel(0, 200)
    eventually(lambda: page.evaluate("window.scrollY > 0"))
    scrolled = page.evaluate("window.scrollY")
    eventually(lambda: page.locator(".grid td.run").first.inner_text() != before)
    assert page.evaluate("document.activeElement.closest('td').id") == focused
    assert page.evaluate("window.scrollY") == scrolled
    assert page.locator("details[open] > summary", has_text="State").count() == 1
    assert page.evaluate("window.sameDocument") is True
    assert "1 of 1" in page.inner_text("#figures")
    at.shot("night-running")
    assert at.barriers() == []


def test_filters_are_in_the_address_several_at_once(running: Place, visit: MakeVisit) -> None:
    page = visit(running.url).go("/")
    page.locator("summary", has_text="Symbol").click()
    page.get_by_label("BTCUSDT").check()
    page.wait_for_url("**/?symbol=BTCUSDT")
    assert page.locator(".grid tbody tr").count() == 1
    page.locator("summary", has_text="Horizon").click()
    page.get_by_label("H5").check()
    page.wait_for_url("**symbol=BTCUSDT&horizon=5")
    assert page.locator(".grid tbody td").count() == 2
    page.locator(".grid td.run, .grid td").first.wait_for()
    page.get_by_role("link", name="Clear").click()
    page.wait_for_url(f"{running.url}/")
    assert page.locator(".grid tbody tr").count() == 3


def test_the_grid_is_walked_by_keys_alone(place: Place, visit: MakeVisit) -> None:
    page = visit(place.url).go("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("!!document.activeElement.closest('.grid')"):
            break
    walked = []
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft", "End", "Home", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
        walked.append(page.evaluate("document.activeElement.title.split(':')[0]"))
    assert walked == [
        "BTCUSDT 15m H3",
        "BTCUSDT 1h H1",
        "ETHUSDT 1h H1",
        "ETHUSDT 15m H3",
        "ETHUSDT 1h H3",
        "ETHUSDT 15m H1",
        "BTCUSDT 15m H1",
        "BTCUSDT 15m H1",
    ]
    ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert ring == "solid"
    page.keyboard.press("Tab")
    assert not page.evaluate("!!document.activeElement.closest('.grid tbody')")


def test_times_are_in_the_readers_zone_and_in_utc_for_the_pointer(place: Place, visit: MakeVisit) -> None:
    page = visit(place.url).go("/")
    shown = page.locator("time[data-show=day]").first
    moment = shown.get_attribute("datetime")
    assert moment is not None
    assert shown.get_attribute("title") == moment.replace("T", " ").replace("Z", " UTC")
    in_berlin = page.evaluate("t => new Date(t).toLocaleTimeString('en-GB', {timeStyle: 'short'})", moment)
    assert in_berlin in shown.inner_text()
    assert in_berlin != moment[11:16]


def test_a_page_whose_coordinator_is_killed_says_so_and_goes_on_when_it_is_back(
    places: MakePlace, visit: MakeVisit
) -> None:
    place = places()
    at = visit(place.url)
    at.expected = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "network error", "fetch")
    page = at.go("/")
    page.evaluate("window.sameDocument = true")
    page.locator("#connection").get_by_text("live").wait_for()
    place.coordinator.kill()
    page.get_by_text("The coordinator is away.").wait_for()
    page.locator("#connection-age", has_text="Last heard").wait_for()
    at.shot("night-away")
    place.coordinator.start()
    page.locator("#connection").get_by_text("live").wait_for(timeout=20_000)
    config = GridConfig(**place.coordinator.settings.grid_config())
    place.night.operator.create_run(RunRequest(config=config))
    page.get_by_text("0 of 12 cells done").wait_for()
    eventually(lambda: page.title() == "0/12 · Nighttrain")
    assert page.evaluate("window.sameDocument") is True


def test_a_hidden_page_costs_nothing_and_catches_up_when_it_is_seen(running: Place, visit: MakeVisit) -> None:
    at = visit(running.url)
    page = at.go("/")
    page.locator("#connection").get_by_text("live").wait_for()
    hide = """hidden => {
        Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
        document.dispatchEvent(new Event('visibilitychange'));
    }"""
    page.evaluate(hide, True)
    before = page.inner_text(".grid")
    page.wait_for_timeout(2500)
    assert page.inner_text(".grid") == before
    page.evaluate(hide, False)
    eventually(lambda: page.inner_text(".grid") != before)
