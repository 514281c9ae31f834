"""A coordinator over real HTTP with a night in it, and the command line that speaks to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cli.app import main
from coordinator.app import make_app
from coordinator.assembly import Parts, assemble
from coordinator.store.database import Database
from tests.coordinator.conftest import served
from tests.coordinator.specimens import Clock, Night, settings
from tests.coordinator.wire import tokens

TOKEN = "the-token-of-these-tests-is-long-enough"
Call = Callable[..., tuple[int, str, str]]
Ask = Callable[..., Any]


@pytest.fixture
def steered(database_url: str, clock: Clock, tmp_path: Path) -> Iterator[Parts]:
    database = Database(database_url, clock)
    yield assemble(database, settings(), tmp_path, tokens(TOKEN), True, Random(1))
    database.close()


@pytest.fixture
def address(steered: Parts) -> Iterator[str]:
    with served(make_app(steered)) as url:
        yield url


@pytest.fixture
def work(steered: Parts, tmp_path: Path) -> Night:
    """The same night as its trainers see it."""
    return Night(steered.database, steered.queue.settings, tmp_path)


@pytest.fixture
def say(address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs a command against the coordinator, and returns exit code, output and errors."""
    token = tmp_path / "given"
    token.write_text(TOKEN)
    token.chmod(0o600)

    def call(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([*map(str, words), "--url", address, "--token-file", str(token)])
        return (code, *capsys.readouterr())

    return call


@pytest.fixture
def ask(say: Call) -> Ask:
    """Runs a command that succeeds with --json, and returns the document."""

    def call(*words: object) -> Any:
        code, out, err = say(*words, "--json")
        assert (code, err) == (0, ""), err
        return json.loads(out)

    return call
