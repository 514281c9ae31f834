"""The first screen in a real browser: what is seen of a night, and that it stays true without reload."""

from __future__ import annotations

import pytest

from tests.coordinator.web.conftest import Place
from tests.coordinator.web.visiting import MakeVisit


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_a_night_is_seen_at_a_glance(place: Place, visit: MakeVisit, look: str) -> None:
    at = visit(place.url, dark=look == "dark", phone=look == "phone")
    page = at.go("/")
    page.locator("#connection:not([hidden])").wait_for()
    at.shot(f"night-{look}")
    assert "8 of 12 cells" in page.get_by_role("heading", level=1).inner_text()
    assert page.locator(".grid td.bad").count() == 4
    assert at.barriers() == []
    assert at.fits()
