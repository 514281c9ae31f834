"""Queries of a panel that exclude each other: a number has the colour of the one that answers."""

from __future__ import annotations

from collections.abc import Collection

EITHER = {"met": "missed", "missed": "met", "all": "fewer", "fewer": "all"}
"""The ref of a query, and of the one that answers where it does not."""


def borne_by_another(place: str, silent: Collection[str]) -> bool:
    """Whether the query that excludes the silent one at this place answers."""
    for ref, opposite in EITHER.items():
        if place.endswith(f"({ref})"):
            return f"{place.removesuffix(f'({ref})')}({opposite})" not in silent
    return False
