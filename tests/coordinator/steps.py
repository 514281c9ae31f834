"""How much SQLite has to do for something, whatever machine it runs on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import event

from coordinator.store.database import Database


def steps_of(database: Database, act: Callable[[], object]) -> int:
    """Return how many steps SQLite's machine takes for what is done, in tens."""
    count = 0

    def step() -> None:
        nonlocal count
        count += 1

    def watch(connection: Any, *_: object) -> None:
        connection.set_progress_handler(step, 10)

    event.listen(database.engine, "checkout", watch)
    try:
        act()
    finally:
        event.remove(database.engine, "checkout", watch)
    return count
