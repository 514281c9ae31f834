from __future__ import annotations

import os
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Any, Literal

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from coordinator.app import make_app
from coordinator.assembly import Parts, assemble
from coordinator.listener import listen, url_of
from coordinator.store.database import Database, sqlite_url
from tests.coordinator.specimens import Clock, MakeNight, Night, settings
from tests.coordinator.wire import TOKEN, OfTheRole, Serve, documented, tokens
from tests.postgres import TEMPLATE, VARIABLE, execute, of_database

ROOMS_OF_EVERY_BACKEND = ("metrics", "queue", "runs", "store")
"""Where each test that needs a database is made with SQLite and with PostgreSQL; elsewhere SQLite must do."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    chosen = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if "empty_url" not in metafunc.fixturenames or any("empty_url" in names for names in chosen):
        return
    room = metafunc.module.__name__.removeprefix("tests.coordinator.").partition(".")[0]
    backends = ["sqlite", "postgresql"] if room in ROOMS_OF_EVERY_BACKEND else ["sqlite"]
    metafunc.parametrize("empty_url", backends, indirect=True)


@pytest.fixture(scope="session")
def postgres() -> str:
    """URL of a PostgreSQL server."""
    url = os.environ.get(VARIABLE)
    if not url:
        pytest.skip(f"no PostgreSQL server is installed, and {VARIABLE} names none")
    return url


@pytest.fixture(scope="session")
def postgres_template(postgres: str) -> Iterator[str]:
    """Name of a PostgreSQL database with the present schema, to be copied."""
    name = f"{TEMPLATE}_{uuid.uuid4().hex[:8]}"
    execute(postgres, f"CREATE DATABASE {name}")
    database = Database(of_database(postgres, name))
    database.upgrade()
    database.close()
    yield name
    execute(postgres, f"DROP DATABASE {name}")


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the present schema, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "nighttrain.db"
    database = Database(sqlite_url(path))
    database.upgrade()
    database.close()
    return path


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a database without tables, on each backend; elsewhere than in this folder on SQLite."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield sqlite_url(tmp_path / "nighttrain.db")
    else:
        with new_database(request.getfixturevalue("postgres"), "template1") as url:
            yield url


@pytest.fixture
def database_url(
    empty_url: str, request: pytest.FixtureRequest, migrated: Path, tmp_path: Path
) -> Iterator[str]:
    """URL of a database with the present schema, on each backend."""
    if empty_url.startswith("sqlite"):
        shutil.copy(migrated, tmp_path / "nighttrain.db")
        yield empty_url
    else:
        template = request.getfixturevalue("postgres_template")
        with new_database(request.getfixturevalue("postgres"), template) as url:
            yield url


@contextmanager
def new_database(server: str, template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield of_database(server, name)
    execute(server, f"DROP DATABASE {name} WITH (FORCE)")


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


@pytest.fixture(scope="session")
def checks() -> dict[str, Callable[[httpx.Response], None]]:
    """Checks of an answer by version: all applications have one document, which takes a second."""
    return {}


@pytest.fixture
def serve(parts: Parts, checks: dict[str, Callable[[httpx.Response], None]]) -> Iterator[Serve]:
    """Serves parts on a free port of this machine, and returns a client of them."""
    with ExitStack() as stack:

        def make(changed: Parts = parts, token: str = TOKEN) -> httpx.Client:
            app = make_app(changed)
            url = stack.enter_context(served(app))
            headers = {"Authorization": f"Bearer {token}"} if token and token != TOKEN else {}
            auth = OfTheRole() if token == TOKEN else None
            if app.version not in checks:
                checks[app.version] = documented(app.openapi())
            hooks = {"response": [checks[app.version]]}
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
