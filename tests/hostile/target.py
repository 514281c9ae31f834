"""A real coordinator in this process, with a night behind it and one at work, to be attacked over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import httpx

from coordinator.app import make_app
from coordinator.assembly import Parts, assemble
from coordinator.store.database import Database, sqlite_url
from coordinator.store.rows import OPEN_ATTEMPTS
from tests.coordinator.conftest import served
from tests.coordinator.specimens import Clock, settings
from tests.coordinator.wire import OfTheRole, begin, granted, tokens, trained


@dataclass(frozen=True)
class Target:
    """A coordinator that is served.

    Parameters
    ----------
    parts : Parts
        What it consists of.
    document : dict
        Its OpenAPI document.
    client : httpx.Client
        Sends with the token that each path needs.
    anonymous : httpx.Client
        Sends without.
    """

    parts: Parts
    document: dict[str, Any]
    client: httpx.Client
    anonymous: httpx.Client

    def leases(self) -> list[str]:
        """Return the leases that trainers hold."""
        with self.parts.database.read() as tx:
            return [row.lease_id for row in tx.connection.execute(OPEN_ATTEMPTS)]

    @property
    def url(self) -> str:
        return str(self.client.base_url).rstrip("/")


@contextmanager
def target(folder: Path, loopback: bool = True) -> Iterator[Target]:
    """Serve a coordinator that has finished one night and is in the middle of another."""
    database = Database(sqlite_url(folder / "nighttrain.db"), Clock())
    database.upgrade()
    parts = assemble(database, settings(), folder, tokens(), loopback, Random(1))
    app = make_app(parts)
    with ExitStack() as stack:
        stack.callback(database.close)
        url = stack.enter_context(served(app))

        def client(auth: httpx.Auth | None) -> httpx.Client:
            made = httpx.Client(base_url=url, auth=auth, timeout=30, trust_env=False)
            return stack.enter_context(made)

        found = Target(parts, app.openapi(), client(OfTheRole()), client(None))
        trained(found.client)
        parts.housekeeping.tick()
        begin(found.client)
        granted(found.client)
        yield found
