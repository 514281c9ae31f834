"""Which coordinators are there, and which are missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from coordinator.policy.attendance import Presence, attendance

NOW = datetime(2026, 11, 26, 2, 0, tzinfo=UTC)


def one(began: float, seen: float) -> Presence:
    """Began and last seen so many minutes ago."""
    return Presence(NOW - timedelta(minutes=began), NOW - timedelta(minutes=seen))


@pytest.mark.parametrize(
    ("coordinators", "present", "lost"),
    [
        ([], 0, 0),
        ([one(60, 0)], 1, 0),
        ([one(60, 0), one(50, 0.1)], 2, 0),
        ([one(60, 0), one(50, 5)], 1, 1),
        # Another one has begun since, under whatever name.
        ([one(60, 0), one(50, 5), one(4, 0)], 2, 0),
        ([one(60, 0), one(50, 5), one(50, 5), one(4, 0)], 2, 1),
        # It was there before the other fell silent, and is in nobody's place.
        ([one(6, 0), one(50, 5)], 1, 1),
        # One that takes a place and falls silent itself leaves it empty.
        ([one(60, 0), one(50, 20), one(19, 5)], 1, 2),
        ([one(60, 0), one(50, 20), one(19, 5), one(4, 0), one(3, 0)], 3, 0),
        ([one(50, 5), one(49, 5)], 0, 2),
    ],
)
def test_who_is_silent_is_missed_until_another_takes_the_place(
    coordinators: list[Presence], present: int, lost: int
) -> None:
    silent_since = NOW - timedelta(seconds=30)
    for order in (coordinators, coordinators[::-1]):
        assert attendance(order, silent_since) == {"present": present, "lost": lost}
