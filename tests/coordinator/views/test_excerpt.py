"""Which symbols of a night are shown."""

from __future__ import annotations

import pytest

from coordinator.views.excerpt import Excerpt, shown_of

NAMES = tuple(f"S{number}USDT" for number in range(10))


def test_all_are_shown_in_their_order_where_they_fit() -> None:
    found = shown_of(NAMES, Excerpt(limit=10), first={"S9USDT"})
    assert found.symbols == NAMES and found.total == 10 and not found.is_part


def test_of_many_a_page_is_shown_with_those_first_that_matter() -> None:
    found = shown_of(NAMES, Excerpt(limit=4), first={"S7USDT", "S9USDT"})
    assert found.symbols == ("S7USDT", "S9USDT", "S0USDT", "S1USDT")
    assert (found.offset, found.total, found.is_part) == (0, 10, True)
    assert shown_of(NAMES, Excerpt(offset=4, limit=4), first={"S7USDT"}).symbols[0] == "S3USDT"


@pytest.mark.parametrize("offset", [8, 9, 10, 1_000])
def test_an_offset_beyond_the_end_shows_the_last_page(offset: int) -> None:
    found = shown_of(NAMES, Excerpt(offset=offset, limit=4))
    assert found.offset == 8 and found.symbols == NAMES[8:]


def test_a_symbol_is_found_by_part_of_its_name_and_by_name() -> None:
    assert shown_of(NAMES, Excerpt(find=" s3u ")).symbols == ("S3USDT",)
    assert shown_of(NAMES, Excerpt(find="none")).symbols == ()
    assert shown_of(NAMES, Excerpt(symbols=("S2USDT",), limit=1)).symbols == ("S2USDT",)
