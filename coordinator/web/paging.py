"""Symbols on a screen a page at a time: which are shown, how the others are come to, and found by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from pydantic import Field

from common.frozen import Frozen
from coordinator.api.access import LARGEST
from coordinator.html.values import count
from coordinator.views.excerpt import Excerpt, Shown
from coordinator.web.choices import Choice, Chosen, choice

ROWS = 100
"""So many symbols are shown on a page."""


class SymbolFilters(Frozen):
    """Filters of a screen that shows symbols; all where none is named."""

    symbol: Chosen = ()
    """These symbols."""
    find: Annotated[str, Field(max_length=60)] = ""
    """Those whose names hold this."""
    offset: Annotated[int, Field(ge=0, le=LARGEST)] = 0
    """How many of them are skipped."""


@dataclass(frozen=True)
class Paging:
    """Which symbols are shown in words, and the queries of the pages around them; empty: there is none."""

    words: str
    before: str
    after: str


def excerpt_of(filters: SymbolFilters) -> Excerpt:
    """Return what is asked for by the filters of a screen."""
    return Excerpt(filters.symbol, filters.find, filters.offset, ROWS)


def paging_of(shown: Shown, filters: SymbolFilters) -> Paging | None:
    """Return how the symbols around those that are shown are come to; None where all are."""
    if not shown.is_part:
        return None
    last = shown.offset + len(shown.symbols)
    return Paging(
        f"Symbols {count(shown.offset + 1)} to {count(last)} of {count(shown.total)}",
        _query(filters, max(shown.offset - ROWS, 0)) if shown.offset else "",
        _query(filters, last) if last < shown.total else "",
    )


def symbol_choice(names: Sequence[str], chosen: Chosen) -> Choice:
    """Return the filter by symbol: where there are more than a page of them, only those that are chosen."""
    return choice("symbol", "Symbol", names if len(names) <= ROWS else (), chosen)


def search_of(names: Sequence[str], find: str) -> dict[str, str]:
    """Return the search by name and what is searched for; nothing where all symbols can be chosen from."""
    return {"find": find} if len(names) > ROWS or find else {}


def _query(filters: SymbolFilters, offset: int) -> str:
    kept = filters.model_dump(mode="json", exclude_defaults=True) | {"offset": offset}
    return "?" + urlencode(
        {name: value for name, value in kept.items() if value not in (None, 0)}, doseq=True
    )
