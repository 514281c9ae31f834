"""Open pages cost a coordinator little, whoever looks."""

from __future__ import annotations

from tests.bench.pages import measured


def test_fifty_open_pages_cost_less_than_a_twentieth_of_a_processor() -> None:
    found = measured(rounds=1)
    # Measured at 0.01 on a slow machine.
    assert found["with pages"][0] - found["alone"][0] < 0.05, found
    assert min(found["changes heard a page"]) >= 1
