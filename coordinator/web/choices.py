"""What the filters of a screen offer, and the nights and moments that an address may name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import Path
from pydantic import Field

from coordinator.api.access import LARGEST
from coordinator.assembly import Parts

Chosen = tuple[str, ...]
RunNumber = Annotated[int, Path(ge=0, le=LARGEST)]
Night = Annotated[int | None, Field(ge=0, le=LARGEST)]

Choice = tuple[str, str, list[tuple[str, str]], Chosen]
"""A filter: its name, its heading, what can be chosen by value and words, and what is."""


def choice(name: str, heading: str, offered: Iterable[str], chosen: Chosen) -> Choice:
    """Return a filter whose values are their own words; a value in the address that is not offered is too."""
    values = dict.fromkeys([*offered, *chosen])
    return name, heading, [(value, value) for value in values], chosen


def newest_night(parts: Parts) -> int | None:
    """Return the id of the newest night; None before the first."""
    page = parts.run_listing.page(1, 0)
    return page.runs[0].id if page.runs else None
