"""For all tests: an example that takes long on a busy machine is no failure; benchmarks hold the figures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.postgres import VARIABLE, Server, programs, version_of

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

HERE = Path(__file__).parent

USES_POSTGRES = (HERE / "coordinator", HERE / "cli" / "commands" / "test_db.py")
"""Where there are tests that need a server."""

SERVER = pytest.StashKey[Server]()


def pytest_configure(config: pytest.Config) -> None:
    """Start a PostgreSQL server before the workers, which inherit its address, if its tests may be run."""
    folder = programs()
    if hasattr(config, "workerinput") or os.environ.get(VARIABLE) or folder is None:
        return
    asked = [Path(one.partition("::")[0]).resolve() for one in config.args]
    if any(used.is_relative_to(one) or one.is_relative_to(used) for used in USES_POSTGRES for one in asked):
        config.stash[SERVER] = Server(folder)
        os.environ[VARIABLE] = config.stash[SERVER].url


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which PostgreSQL was asked, so that a log shows what was tried."""
    if url := os.environ.get(VARIABLE):
        terminalreporter.write_line(f"PostgreSQL {version_of(url)} was asked")


def pytest_unconfigure(config: pytest.Config) -> None:
    server = config.stash.get(SERVER, None)
    if server is not None:
        del os.environ[VARIABLE]
        server.close()
