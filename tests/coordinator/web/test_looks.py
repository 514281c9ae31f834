"""The screens in a real browser: seen in light, in dark and on a phone, by keyboard, and without reload."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.coordinator.web.conftest import TRAINED, Place
from tests.coordinator.web.eventful import HOSTILE, add_nights
from tests.coordinator.web.visiting import MakeVisit
from tests.trainer.real_night import Coordinator, RealNight

SCREENS = {
    "job": "/jobs/4",
    "job-failed": "/jobs/27",
    "job-running": "/jobs/35",
    "timeline": "/timeline?run=2",
    "models": "/models",
    "cell": "/models/BTCUSDT/15m/1",
    "compare": "/compare?before=1&after=2",
    "data": "/data?run=2",
    "nights": "/nights",
    "past-night": "/nights/2",
    "settings": "/settings",
    "runbook": "/runbook",
    "failures-of-three": "/failures",
    "trainers-of-three": "/trainers",
    "night-of-three": "/",
    "problem": "/compare?before=x",
}
"""By the name of their picture. A real trainer did job 4."""


@pytest.fixture(scope="module")
def eventful(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A coordinator with a trained night, one of failures, and one that runs."""
    folder = tmp_path_factory.mktemp("eventful")
    shutil.copytree(trained / "out", folder / "out", symlinks=True)
    add_nights(folder / "out")
    # Jobs that a trainer holds stay with it for as long as the tests take.
    coordinator = Coordinator(folder, **{**TRAINED, "lease": {"seconds": 600}})
    place = Place(coordinator, RealNight(coordinator, folder))
    try:
        coordinator.start()
        yield place
    finally:
        coordinator.close()


# Both colour schemes and both widths, each once: every screen of all looks took a minute.
@pytest.mark.parametrize("look", ["dark", "phone"])
def test_each_screen_can_be_read_by_everybody(eventful: Place, visit: MakeVisit, look: str) -> None:
    at = visit(eventful.url, dark=look == "dark", phone=look == "phone")
    at.expected = ("422",)
    for name, path in SCREENS.items():
        page = at.go(path)
        assert page.get_by_role("heading", level=1).count() == 1, name
        at.shot(f"{name}-{look}")
        assert (name, at.barriers()) == (name, [])
        assert at.fits(), f"{name} is wider than the window"
        at.assert_nothing_is_hidden_silently()


def test_a_trained_job_shows_its_drawings_and_its_certificate(eventful: Place, visit: MakeVisit) -> None:
    page = visit(eventful.url).go("/jobs/4")
    for title in ("Folds on a time axis", "ROC curve", "Reliability curve", "Coefficients by size"):
        assert page.locator("svg.plot > title", has_text=title).count() == 1
    assert page.locator(".plot-density .observed").count() == 1
    assert page.get_by_text("valid: nothing has seen the future").is_visible()
    assert "training BTCUSDT_15m_H1: attempt 1 by" in page.locator("pre.log").inner_text()
    page.get_by_text("Figures of each fold").click()
    assert page.locator("table.list tbody tr").first.is_visible()


def test_a_message_from_outside_is_text(eventful: Place, visit: MakeVisit) -> None:
    at = visit(eventful.url)
    found = httpx.get(f"{eventful.url}/api/jobs?run=3&limit=50", trust_env=False).json()["jobs"]
    [failed] = [one for one in found if one["attempts"] and one["state"] == "queued"]
    page = at.go(f"/jobs/{failed['id']}")
    assert page.get_by_text(f"KeyError: {HOSTILE}").first.is_visible()
    assert page.get_by_text("Why it waits").is_visible()


def test_the_timeline_is_zoomed_by_dragging_and_its_jobs_are_reached_by_keyboard(
    eventful: Place, visit: MakeVisit
) -> None:
    page = visit(eventful.url).go("/timeline?run=2")
    drawing = page.locator("svg.plot-timeline")
    whole = drawing.locator("a").count()
    box = drawing.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.12, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.2, middle, steps=4)
    page.mouse.up()
    page.wait_for_url(re.compile(r"since=.*until="))
    assert 0 < page.locator("svg.plot-timeline a").count() < whole
    page.get_by_role("link", name="Whole night").click()
    page.wait_for_url(re.compile(r"/timeline\?run=2$"))
    page.locator("svg.plot-timeline a").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/jobs/\d+$"))


def test_moments_along_the_timeline_are_in_the_readers_zone(eventful: Place, visit: MakeVisit) -> None:
    page = visit(eventful.url).go("/timeline?run=2")
    tick = page.locator("svg.plot text[data-time]").first
    moment, shown = tick.get_attribute("data-time"), tick.text_content()
    assert moment is not None and shown is not None
    # Berlin is one hour ahead of UTC in winter, two in summer.
    ahead = (int(shown[:2]) - int(moment[11:13])) % 24
    assert ahead in (1, 2) and shown[3:] == moment[14:16]


def test_a_job_page_follows_its_job_without_reload(eventful: Place, visit: MakeVisit) -> None:
    at = visit(eventful.url)
    found = httpx.get(f"{eventful.url}/api/jobs?run=3&state=queued&limit=50", trust_env=False).json()["jobs"]
    waiting = found[-1]["id"]
    page = at.go(f"/jobs/{waiting}")
    page.locator("#connection:not([hidden])").wait_for()
    page.evaluate("window.sameDocument = true")
    answer = httpx.post(
        f"{eventful.url}/api/jobs/{waiting}/cancel",
        json={},
        headers={"Authorization": f"Bearer {eventful.token}"},
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text
    # Pages that the tests before have left are renewed for a while yet, and take their share of the time.
    page.locator("h1 + .badge", has_text="cancelled").wait_for(timeout=90_000)
    assert page.evaluate("window.sameDocument") is True


def test_champions_are_listed_with_their_last_nights(eventful: Place, visit: MakeVisit) -> None:
    page = visit(eventful.url).go("/models")
    rows = page.locator("table.list tbody tr")
    assert rows.count() >= 2 and page.locator("svg.plot-sparkline").count() == rows.count()
    rows.first.get_by_role("link").first.click()
    assert page.get_by_text("has a champion").is_visible()


def test_a_model_is_downloaded_by_its_link(eventful: Place, visit: MakeVisit) -> None:
    page = visit(eventful.url, accept_downloads=True).go("/jobs/4")
    with page.expect_download() as begun:
        page.get_by_role("link", name="Model (.pkl)").click()
    download = begun.value
    assert download.suggested_filename == "BTCUSDT_15m_H1_logreg_optimized.pkl"
    manifest = httpx.get(f"{eventful.url}/models/jobs/4/model.json", trust_env=False).json()
    assert hashlib.sha256(Path(download.path()).read_bytes()).hexdigest() == manifest["pickle_sha256"]


def test_a_link_of_an_alert_leads_to_its_heading(eventful: Place, visit: MakeVisit) -> None:
    page = visit(eventful.url).go("/runbook#nighttraintrainerlost")
    heading = page.get_by_role("heading", name="NighttrainTrainerLost")
    heading.wait_for()
    assert page.evaluate("document.querySelector('#nighttraintrainerlost').getBoundingClientRect().top") < 300
