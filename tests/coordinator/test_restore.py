"""The database is lost in mid-night and an older state of it brought back, while trainers go on.

What was done since the backup is done again, or refused by the fence where it comes late; the night ends with
the results of an undisturbed one. The commands are those of the runbook.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cli.app import main
from common.client.client import OperatorClient
from common.client.trainers import TrainerClient
from common.errors import StaleLeaseError
from common.protocol.runs import RunRequest, RunState
from coordinator.store.database import Database, sqlite_url
from coordinator.store.tables import attempts
from tests.cli.nights import essence
from tests.coordinator.crew import Crew, assert_whole
from tests.coordinator.process import ROOT, Process, eventually
from tests.coordinator.specimens import grid, renewal
from tests.postgres import execute, of_database, programs

GRID = grid(timeframes=("15m", "1h", "4h"))
"""Two surveys and twelve cells."""

RUNBOOK = (ROOT / "deploy" / "runbook.md").read_text(encoding="utf-8")


def run(*command: object) -> None:
    """Run a command line."""
    done = subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def nighttrain(*words: object) -> None:
    assert main([*map(str, words)]) == 0


@dataclass(frozen=True)
class Way:
    """How a database is backed up while it is used, lost, and brought back."""

    url: str
    out: Path
    backup: Path

    def save(self) -> None:
        """Back it up."""
        raise NotImplementedError

    def lose(self) -> None:
        """Lose it, so that nothing of it is left."""
        if self.url.startswith("sqlite"):
            for path in self.out.glob("nighttrain.db*"):
                path.unlink()
            return
        server, name = of_database(self.url, "postgres"), self.url.partition("?")[0].rpartition("/")[2]
        execute(server, f"DROP DATABASE {name} WITH (FORCE)")
        execute(server, f"CREATE DATABASE {name}")

    def bring_back(self) -> None:
        """Bring the backup back."""
        raise NotImplementedError


class Ours(Way):
    """``nighttrain db backup`` and ``copy``."""

    def save(self) -> None:
        nighttrain("db", "backup", self.out, self.backup)

    def bring_back(self) -> None:
        nighttrain("db", "copy", self.backup, self.out)


class Dump(Way):
    """PostgreSQL's own programs."""

    def save(self) -> None:
        assert "pg_dump --format=custom --file night-1.dump" in RUNBOOK
        run(self._program("pg_dump"), "--format=custom", "--file", self.backup, self._address)

    def bring_back(self) -> None:
        words = ("--exit-on-error", "--single-transaction", "--no-owner")
        assert f"pg_restore {' '.join(words)} --dbname" in RUNBOOK
        run(self._program("pg_restore"), *words, "--dbname", self._address, self.backup)

    @staticmethod
    def _program(name: str) -> Path:
        folder = programs()
        if folder is None:
            pytest.skip(f"{name} is not installed")
        return folder / name

    @property
    def _address(self) -> str:
        return self.url.replace("+psycopg", "")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What results of a night are that nobody disturbed."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    process = Process(out)
    try:
        url = process.ready().url
        with OperatorClient(url, out / "token") as operator:
            night, _ = operator.create_run(RunRequest(config=GRID))
            crew = Crew([url], out / "trainer_token", trainers=4)
            try:
                crew.work_on()
                return _results(operator, night.id)
            finally:
                crew.end()
    finally:
        process.kill()


def _results(operator: OperatorClient, night: int) -> list[Any]:
    eventually(lambda: operator.run(night).state is RunState.DONE or None)
    return essence(operator.results(night).model_dump(mode="json", by_alias=True))


@pytest.mark.parametrize(
    ("empty_url", "way"),
    [("sqlite", Ours), ("postgresql", Dump)],
    indirect=["empty_url"],
)
def test_a_night_whose_database_was_lost_ends_like_an_undisturbed_one(
    empty_url: str, way: Callable[..., Way], tmp_path: Path, undisturbed: list[Any]
) -> None:
    out, config = tmp_path / "out", tmp_path / "night.yaml"
    url = sqlite_url(out / "nighttrain.db") if empty_url.startswith("sqlite") else empty_url
    config.write_text(f"database_url: {url}\n")
    database = way(url, out, tmp_path / "backup.db")
    process = Process(out, config=config)
    try:
        address = process.ready().url
        with OperatorClient(address, out / "token") as operator:
            night, _ = operator.create_run(RunRequest(config=GRID))
        crew = Crew([address], out / "trainer_token", trainers=4)
        try:
            crew.work(4)
            database.save()
            # Four are leased at most: so some are leased after the backup.
            crew.work(6)
            process.kill()
            everything = leases(url)
            database.lose()
            database.bring_back()
            kept = leases(url)
            lost = set(everything) - set(kept)
            assert lost and kept
            process = Process(out, config=config, port=int(address.rpartition(":")[2]))
            process.ready()
            with TrainerClient(address, out / "trainer_token") as late, pytest.raises(StaleLeaseError):
                late.renew(lost.pop(), renewal())
            crew.work_on()
            with OperatorClient(address, out / "token") as operator:
                assert _results(operator, night.id) == undisturbed
        finally:
            crew.end()
    finally:
        process.kill()
    opened = Database(url)
    assert_whole(opened, night.id)
    opened.close()
    final = leases(url)
    again = {lease for lease in set(everything) - set(kept) if everything[lease] in final.values()}
    assert again and not again & set(final), "numbers of attempts come again, leases never"


def leases(url: str) -> dict[str, tuple[int, int]]:
    """Return the job and the number of each attempt by its lease."""
    database = Database(url)
    with database.read() as tx:
        rows = tx.connection.execute(select(attempts.c.lease_id, attempts.c.job_id, attempts.c.number)).all()
    database.close()
    return {row.lease_id: (row.job_id, row.number) for row in rows}
