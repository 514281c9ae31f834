from __future__ import annotations

import os
import shutil
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Any, Literal

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import create_engine, make_url, text

from coordinator.app import make_app
from coordinator.assembly import Parts, assemble
from coordinator.listener import listen, url_of
from coordinator.store.database import Database, sqlite_url
from tests.coordinator.specimens import Clock, MakeNight, Night, settings
from tests.coordinator.wire import TOKEN, OfTheRole, Serve, documented, tokens

POSTGRES = os.environ.get("NIGHTTRAIN_TEST_POSTGRES", "")
"""URL of a PostgreSQL database in which tests make and drop schemas; without it they run on SQLite only."""

BACKENDS = ["sqlite", *(["postgresql"] if POSTGRES else [])]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the present schema, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "nighttrain.db"
    database = Database(sqlite_url(path))
    database.upgrade()
    database.close()
    return path


@pytest.fixture(params=BACKENDS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a database without tables, on each backend."""
    if request.param == "sqlite":
        yield sqlite_url(tmp_path / "nighttrain.db")
        return
    schema = f"test_{uuid.uuid4().hex}"
    engine = create_engine(POSTGRES)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    options = {"options": f"-csearch_path={schema}"}
    yield make_url(POSTGRES).update_query_dict(options).render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()


@pytest.fixture
def database_url(empty_url: str, migrated: Path, tmp_path: Path) -> str:
    """URL of a database with the present schema, on each backend."""
    if empty_url.startswith("sqlite"):
        shutil.copy(migrated, tmp_path / "nighttrain.db")
    else:
        database = Database(empty_url)
        database.upgrade()
        database.close()
    return empty_url


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_night(database_url: str, clock: Clock, tmp_path: Path) -> Iterator[MakeNight]:
    """Makes coordinators without web application; called again it is the next start over the same folder."""
    opened: list[Database] = []

    def make(**changes: Any) -> Night:
        database = Database(database_url, clock)
        opened.append(database)
        return Night(database, settings(**changes), tmp_path)

    yield make
    for database in opened:
        database.close()


@pytest.fixture
def night(make_night: MakeNight) -> Night:
    return make_night()


@contextmanager
def served(app: FastAPI, lifespan: Literal["on", "off"] = "off", port: int = 0) -> Iterator[str]:
    """Serve an application over real HTTP on a (free) port of this machine, and give its address."""
    with listen("127.0.0.1", port) as listener:
        config = uvicorn.Config(app, lifespan=lifespan, log_config=None, timeout_graceful_shutdown=5)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield url_of(listener)
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def parts(database_url: str, clock: Clock, tmp_path: Path) -> Iterator[Parts]:
    database = Database(database_url, clock)
    yield assemble(database, settings(), tmp_path, tokens(), True, Random(1))
    database.close()


@pytest.fixture
def serve(parts: Parts) -> Iterator[Serve]:
    """Serves parts on a free port of this machine, and returns a client of them."""
    with ExitStack() as stack:

        def make(changed: Parts = parts, token: str = TOKEN) -> httpx.Client:
            app = make_app(changed)
            url = stack.enter_context(served(app))
            headers = {"Authorization": f"Bearer {token}"} if token and token != TOKEN else {}
            auth = OfTheRole() if token == TOKEN else None
            hooks = {"response": [documented(app.openapi())]}
            return stack.enter_context(
                httpx.Client(
                    base_url=url, headers=headers, auth=auth, timeout=30, trust_env=False, event_hooks=hooks
                )
            )

        yield make


@pytest.fixture
def client(serve: Serve) -> httpx.Client:
    return serve()


@pytest.fixture
def anonymous(serve: Serve) -> httpx.Client:
    return serve(token="")


@pytest.fixture
def document(client: httpx.Client) -> dict[str, Any]:
    answer = client.get("/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found
