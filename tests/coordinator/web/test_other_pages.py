"""Failures and trainers in a real browser."""

from __future__ import annotations

import re

import pytest

from tests.coordinator.web.conftest import MakePlace, Place
from tests.coordinator.web.visiting import MakeVisit
from tests.trainer.real_night import eventually

LOOKS = ("dark", "phone")


@pytest.fixture(scope="module")
def manned(places: MakePlace) -> Place:
    """A night with a trainer at work and one that has nothing to do."""
    # On a busy machine a shorter lease expires, and the other trainer gets the job.
    place = places(symbols=["BTCUSDT"], timeframes=["1h"], horizons=[1], lease={"seconds": 8})
    place.night.begin()
    place.night.start_trainer("fold_long", name="trainer-1")
    eventually(lambda: any(one.progress for one in place.night.operator.status().trainers))
    place.night.start_trainer("fold_long", name="trainer-2")
    eventually(lambda: len(place.night.operator.status().trainers) == 2)
    return place


@pytest.mark.parametrize("look", LOOKS)
def test_failures_are_grouped_by_what_went_wrong(place: Place, visit: MakeVisit, look: str) -> None:
    at = visit(place.url, dark=look == "dark", phone=look == "phone")
    page = at.go("/failures")
    headline = "No job failed in night 1, 5 are not trainable"
    assert page.get_by_role("heading", level=1).inner_text() == headline
    [group] = page.locator("section[id^=group-]").all()
    assert "NOCANDLES: no file of NOCANDLES" in group.inner_text()
    assert group.get_by_role("link").count() == 5
    at.shot(f"failures-{look}")
    assert at.barriers() == []
    assert at.fits()


@pytest.mark.parametrize("look", LOOKS)
def test_each_trainer_says_what_it_does_or_why_nothing(manned: Place, visit: MakeVisit, look: str) -> None:
    at = visit(manned.url, dark=look == "dark", phone=look == "phone")
    page = at.go("/trainers")
    page.get_by_text("1 of 2 trainers at work").wait_for()
    [one, other] = page.locator("tbody tr").all()
    one.get_by_text("BTCUSDT_1h_H1").wait_for()
    other.get_by_text("No job is queued").wait_for()
    before = one.locator("progress").get_attribute("value")
    eventually(lambda: one.locator("progress").get_attribute("value") != before)
    at.shot(f"trainers-{look}")
    assert at.barriers() == []
    assert at.fits()


def test_a_night_in_which_nothing_changed_says_whose_results_it_shows(
    places: MakePlace, visit: MakeVisit
) -> None:
    place = places()
    place.night.begin(retrain=False)
    place.night.start_trainer(name="trainer-1")
    eventually(place.night.is_done, 60)
    at = visit(place.url)
    page = at.go("/")
    assert page.get_by_title(re.compile("^BTCUSDT 15m H1: .*, AUC .*, reused from night 1$")).count() == 1
    headline = "Night 2 is over: 8 of 12 cells trained (8 reused), 4 not trainable"
    assert page.get_by_role("heading", level=1).inner_text() == headline
    assert "8 of 12 (8 reused)" in at.go("/nights").locator("tbody tr").first.inner_text()
    cell = next(one for one in place.night.operator.jobs(run=2, symbol="BTCUSDT").jobs if one.reused_from)
    page = at.go(f"/jobs/{cell.id}")
    page.get_by_text("Reused from night 1: candles, settings and program are the same.").wait_for()
    page.get_by_text("There was no other champion to be better than.").wait_for()
    at.shot("reused")
    assert at.barriers() == []
    assert at.fits()
    assert page.get_by_role("link", name="night 1", exact=True).get_attribute("href") == "/nights/1"
    page.get_by_role("link", name=f"job {cell.reused_from}").click()
    page.wait_for_url(f"**/jobs/{cell.reused_from}")
    assert "No trainer had to" not in page.locator("body").inner_text()
