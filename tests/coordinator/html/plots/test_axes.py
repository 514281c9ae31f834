"""Axes and what is written along them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from coordinator.html.plots.axes import Axis, TimeAxis, moment_words, round_moments, round_values

START = datetime(2026, 3, 1, 21, 40, tzinfo=UTC)


def test_values_and_moments_go_to_their_places() -> None:
    assert Axis(0.5, 0.6, 100, 0)(0.525) == pytest.approx(75)
    assert Axis(2, 2, 0, 10)(2) == 5
    axis = TimeAxis(START, START + timedelta(hours=2), 0, 120)
    assert axis(START + timedelta(minutes=30)) == 30
    assert axis.within(START - timedelta(days=1)) == 0 and axis.within(START + timedelta(days=1)) == 120


def test_round_values_lie_within_and_end_in_one_two_or_five() -> None:
    assert round_values(0.448, 0.562, 4) == [0.45, 0.5, 0.55]
    assert round_values(-0.12, 0.12, 3) == [-0.1, 0.0, 0.1]
    assert round_values(3, 3) == [3]


@pytest.mark.parametrize(
    ("length", "first", "words"),
    [
        (timedelta(minutes=3), "21:40:00", "%H:%M:%S"),
        (timedelta(hours=8), "22:00", "%H:%M"),
        (timedelta(days=9), "3 Mar", "%-d %b"),
        (timedelta(days=800), "Jul 2026", ""),
    ],
)
def test_round_moments_are_written_as_short_as_the_axis_allows(
    length: timedelta, first: str, words: str
) -> None:
    found = round_moments(START, START + length)
    assert 3 <= len(found) <= 9 and found[0] >= START and found[-1] <= START + length
    assert moment_words(found[0], length.total_seconds()) == first
    if words:
        assert f"{found[0]:{words}}" == first
