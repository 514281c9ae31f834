from __future__ import annotations

import pytest

from coordinator.policy.rollback import champion_before


@pytest.mark.parametrize(
    ("history", "before"),
    [
        ([1], None),
        ([1, 2], 1),
        ([1, 2, 3], 2),
        # One rollback after another goes further back, and a new champion begins there.
        ([1, 2, 3, 2], 1),
        ([1, 2, 3, 2, 1], None),
        ([1, 2, 3, 1], None),
        ([1, 2, 1, 3], 1),
        # Out of a cell without a champion leads the last one.
        ([1, None], 1),
        ([1, 2, None], 2),
        ([1, 2, None, 2], 1),
        # A champion that was ended and followed in one decision stood before its successor.
        ([1, None, 2], 1),
        ([1, None, 2, 1], None),
        ([1, None, 2, None], 2),
        ([], None),
    ],
)
def test_a_rollback_leads_to_what_stood_before(history: list[int | None], before: int | None) -> None:
    assert champion_before(history) == before
