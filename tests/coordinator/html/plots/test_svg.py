"""Elements of an SVG."""

from __future__ import annotations

from coordinator.html.plots.svg import curve, drawing, element, label, line, rectangle
from tests.coordinator.html.plots.drawn import Drawn

HOSTILE = "\"><script>alert(1)</script>&'"


def test_what_comes_from_outside_is_text_wherever_it_stands() -> None:
    inside = (label(1, 2, HOSTILE), rectangle(0, 0, 1, 1, HOSTILE, HOSTILE), element("a", href=HOSTILE))
    markup = drawing("test", 10, 10, HOSTILE, HOSTILE, *inside)
    assert "<script" not in markup
    drawn = Drawn(markup)
    assert drawn.title == drawn.description == HOSTILE
    assert drawn.texts() == [HOSTILE] and drawn.tips("rect", "") == [HOSTILE]
    assert drawn.of("a")[0].get("href") == HOSTILE


def test_numbers_are_short_and_a_rectangle_is_never_negative() -> None:
    assert str(line(1.0, 2.5, 3.14159, 4, "grid")) == '<line x1="1" y1="2.5" x2="3.14" y2="4" class="grid"/>'
    assert 'width="0"' in rectangle(1, 1, -3.0, 2, "bar")


def test_a_curve_with_a_base_is_closed_along_it_and_one_without_points_is_nothing() -> None:
    assert str(curve([(0, 1), (2, 3)], "area", 9)) == '<path d="M0 1L2 3L2 9L0 9Z" class="area"/>'
    assert curve([], "area") == ""
