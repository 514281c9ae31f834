from __future__ import annotations

import pytest

from coordinator.html.values import NONE, p_value


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, NONE),
        (1.0, "1"),
        (0.0321, "0.0321"),
        (1.234e-12, "1.23e-12"),
        (3e-310, "< 1e-300"),
        (0.0, "< 1e-300"),
    ],
)
def test_no_p_value_is_written_as_nought(value: float | None, written: str) -> None:
    assert p_value(value) == written
