"""What the benchmark of several coordinators compares, and how it tells its figures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from common.protocol.trainers import Grant
from common.settings.night import NightSettings
from coordinator.queue.queue import Queue
from coordinator.queue.results import Model
from coordinator.store.database import Database, sqlite_url
from tests.bench.coordinator import fill, result_of
from tests.bench.several import Worked, WrongError, compare, rows
from tests.coordinator.specimens import claim, hello

CELLS = 18


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(sqlite_url(tmp_path / "nighttrain.db"))
    made.upgrade()
    fill(made, CELLS)
    yield made
    made.close()


@pytest.fixture
def jobs(database: Database) -> tuple[int, int]:
    """A job that is done, and one that is held."""
    queue = Queue(database, NightSettings(), Random(1))
    queue.register(hello())
    grant = queue.claim(claim("t1-boot"))
    assert isinstance(grant, Grant)
    done, content = result_of(grant)
    queue.finish(grant.lease_id, done, Model(done.artifact_sha256, len(content)))
    following = queue.claim(claim("t1-boot"))
    assert isinstance(following, Grant)
    return grant.job_id, following.job_id


def test_a_night_in_which_all_went_well_is_taken(database: Database, jobs: tuple[int, int]) -> None:
    done, held = jobs
    compare(database, CELLS, Worked(done=[done], held=[held]))
    # An answer that was lost is no job that was lost.
    compare(database, CELLS, Worked(unsure=[done], held=[held]))


@pytest.mark.parametrize(
    ("worked", "said"),
    [
        (lambda done, held: Worked(done=[done, done], held=[held]), "handed out twice"),
        (lambda done, held: Worked(done=[done], held=[held, held]), "handed out twice"),
        (lambda done, held: Worked(done=[done, held]), "other results or leases"),
        (lambda done, held: Worked(held=[held]), "other results or leases"),
        (lambda done, held: Worked(done=[done]), "other results or leases"),
    ],
)
def test_a_job_that_was_lost_or_had_twice_is_found(
    database: Database, jobs: tuple[int, int], worked: object, said: str
) -> None:
    assert callable(worked)
    with pytest.raises(WrongError, match=said):
        compare(database, CELLS, worked(*jobs))


def test_a_job_that_is_gone_is_found(database: Database, jobs: tuple[int, int]) -> None:
    done, held = jobs
    with pytest.raises(WrongError, match="18 jobs of 19 are left"):
        compare(database, CELLS + 1, Worked(done=[done], held=[held]))


def test_the_table_says_what_was_measured_and_how_often() -> None:
    pairs = {
        number: [
            {"pairs_per_second": rate, "coordinator_cpu_ms": 9.0, "database_cpu_ms": 2.0}
            for rate in (50.0, 70.0, 60.0)
        ]
        for number in ("1", "2")
    }
    lines = list(rows({"clients": 200, "pairs": pairs, "takeover_seconds": [6.0, 5.0, 7.0]}))
    assert lines[1][0] == "results with next jobs, 200 clients, 2 coordinators on PostgreSQL"
    assert lines[1][1:] == (
        "60/s",
        "50 to 70; a pair takes 9.0 ms of a processor in the coordinators and 2.0 in the database; "
        "none twice, none lost",
    )
    assert lines[2][1:] == ("6.0 s", "5.0 to 7.0 s, 3 times")
    assert list(rows({})) == [("several coordinators", "not measured", "no PostgreSQL server is installed")]
