"""One file of candles, in a folder or below the address of a store, and the names that are none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from common.objects.store import Stored
from common.out_folder import DATABASE_NAME

COMPANIONS = (".checksum", ".sha256", ".md5", ".part", ".tmp", ".crdownload")
"""Endings of files that lie beside candles and hold none."""

NOT_SOURCES = frozenset({"CACHEDIR.TAG", DATABASE_NAME})
"""A file of this name says that its folder is a cache or the out folder of a night, and holds no sources."""


@dataclass(frozen=True)
class SourceFile:
    """One file of the data folder; `relative` is its path below the folder with ``/`` between the parts.

    `stored` is what a store said of it where it is an object there; then `path` is where it will be once it
    is fetched, and None before.
    """

    path: Path | None
    relative: str
    size: int
    mtime_ns: int
    stored: Stored | None = None


def is_passed_over(name: str) -> bool:
    """Whether a file of this name is left out, wherever it lies."""
    return name.startswith(".") or name.lower().endswith(COMPANIONS)


def printable(name: str) -> str:
    """Return a name as it may be shown.

    Names go into reports and onto terminals, which bytes that are no UTF-8 and control characters would
    break.
    """
    return "".join(character if character.isprintable() else "\ufffd" for character in name)
