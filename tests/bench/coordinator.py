"""How fast a coordinator hands out and takes back jobs, by the length of its queue.

Two measures over queues that the coordinator's own code has filled, on this machine's disk:

1. a claim, in this process: from the question to the lease that is durable, without HTTP; beside it the time
   on a processor, and what the sync of a transaction with one small change takes;
2. pairs of a result and a claim over HTTP, by eight clients in a process of their own that speak as trainers
   do: the result brings the next job. All are durable when they are answered.

`python -m tests.bench.coordinator --json FILE` also writes the figures to a file.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Any

from sqlalchemy import text, update

from common.client.trainers import TrainerClient
from common.protocol.jobs import JobKind, JobState
from common.protocol.runs import RunRequest
from common.protocol.trainers import Finish, Grant, LimitKind
from common.settings.grid import GridConfig
from common.settings.night import NightSettings
from coordinator.queue import surveys
from coordinator.queue.queue import Queue
from coordinator.queue.results import Model
from coordinator.runs.runs import Runs
from coordinator.store.database import Database, sqlite_url
from coordinator.store.rows import JOBS, JobRow
from coordinator.store.tables import jobs
from tests.coordinator.process import Process
from tests.coordinator.specimens import claim, finish, hello, spec_of, survey_report, training_report

LENGTHS = (108, 1_080, 7_200, 100_000)
"""Cells in the queue before a claim; the first is the default grid."""
HTTP_LENGTHS = (1_080, 7_200)
"""Cells in the queue before the clients begin, who take some away."""
CELLS_A_SYMBOL = 18
CLAIMS = 80
WARM_UP = 10
CLIENTS = 8
SECONDS = 10.0


def fill(database: Database, cells: int) -> None:
    """Begin a run and survey its symbols, so that so many cells are queued; volumes are random."""
    random = Random(1)
    symbols = tuple(f"S{number:05d}USDT" for number in range(-(-cells // CELLS_A_SYMBOL)))
    timeframes = ("1m", "5m", "15m", "1h", "4h", "1d")
    settings = NightSettings.model_validate(
        {"symbols": symbols, "timeframes": timeframes, "horizons": (1, 3, 5)}
    )
    config = GridConfig.model_validate(settings.grid_config())
    Runs(database).submit(RunRequest(config=config))
    with database.write() as tx:
        for row in tx.connection.execute(JOBS.where(jobs.c.kind == JobKind.SURVEY)).all():
            survey = JobRow.of(row)
            spec = surveys.survey_spec(config, survey.symbol)
            surveys.apply(tx, survey, survey_report(spec, volume=1e6 * random.random()))
        done = update(jobs).where(jobs.c.kind == JobKind.SURVEY)
        tx.connection.execute(done.values(state=JobState.SUCCEEDED, finished=tx.now))


def result_of(grant: Grant) -> tuple[Finish, bytes]:
    report, content = training_report(spec_of(grant))
    return finish(report, report.manifest.pickle_sha256), content


def measure_claims(cells: int) -> dict[str, float]:
    """Claim and finish one job after the other, and return what the claims took, in milliseconds."""
    took, computed, synced = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        database = Database(sqlite_url(Path(folder) / "nighttrain.db"))
        database.upgrade()
        fill(database, cells)
        queue = Queue(database, NightSettings(), Random(1))
        trainer = hello(kind=LimitKind.CGROUP)
        queue.register(trainer)
        last = ""
        for _ in range(min(CLAIMS, cells // 2) + WARM_UP):
            began, computing = time.perf_counter(), time.thread_time()
            grant = queue.claim(claim(trainer.boot_id, last))
            computed.append(time.thread_time() - computing)
            took.append(time.perf_counter() - began)
            assert isinstance(grant, Grant), grant
            last = spec_of(grant).cell.symbol
            done, content = result_of(grant)
            queue.finish(grant.lease_id, done, Model(done.artifact_sha256, len(content)))
            with database.write() as tx:
                tx.connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
                began = time.perf_counter()
            synced.append(time.perf_counter() - began)
        database.close()
    return {
        "claim_ms_p50": median(took[WARM_UP:]) * 1e3,
        "claim_ms_p95": quantiles(took[WARM_UP:], n=20)[-1] * 1e3,
        "claim_cpu_ms_p50": median(computed[WARM_UP:]) * 1e3,
        "sync_ms_p50": median(synced[WARM_UP:]) * 1e3,
    }


def measure_pairs(cells: int) -> dict[str, float]:
    """Return how many pairs of a result and a claim a second eight clients get answered, and how fast."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        database = Database(sqlite_url(out / "nighttrain.db"))
        database.upgrade()
        fill(database, cells)
        database.close()
        process = Process(out)
        # It logs a line for each job: a pipe that nobody reads would be full after some hundreds.
        for pipe in process.process.stdout, process.process.stderr:
            assert pipe is not None
            threading.Thread(target=pipe.read, daemon=True).start()
        try:
            url = process.ready().url
            clients = multiprocessing.get_context("spawn").Pool(1)
            took, seconds = clients.apply(work, (url, out / "trainer_token"))
        finally:
            process.kill()
    return {
        "pairs_per_second": len(took) / seconds,
        "pair_ms_p50": median(took) * 1e3,
        "pair_ms_p95": quantiles(took, n=20)[-1] * 1e3,
    }


def work(url: str, token: Path) -> tuple[list[float], float]:
    """Be eight trainers for a while or until nothing is queued.

    Returns
    -------
    took : list of float
        How long each answer to a result took, in seconds.
    seconds : float
        How long all of them took together.
    """
    took: list[float] = []
    first = time.monotonic()
    stop = first + SECONDS

    def be_trainer(number: int) -> None:
        trainer = hello(f"t{number}", f"t{number}-boot", host=f"host-{number}", kind=LimitKind.CGROUP)
        with TrainerClient(url, token) as client:
            client.register(trainer)
            grant = client.claim(claim(trainer.boot_id))
            while isinstance(grant, Grant) and time.monotonic() < stop:
                asked = claim(trainer.boot_id, spec_of(grant).cell.symbol)
                done = result_of(grant)[0].model_copy(update={"next_claim": asked})
                began = time.perf_counter()
                following = client.finish(grant.lease_id, done)
                took.append(time.perf_counter() - began)
                grant = following

    threads = [threading.Thread(target=be_trainer, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took, time.monotonic() - first


def measure(lengths: Sequence[int] = LENGTHS, http_lengths: Sequence[int] = HTTP_LENGTHS) -> dict[str, Any]:
    """Return all figures, by the length of the queue."""
    return {
        "claims": {str(cells): measure_claims(cells) for cells in lengths},
        "pairs": {str(cells): measure_pairs(cells) for cells in http_lengths},
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.coordinator", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the figures are written too")
    parser.add_argument("--longest", type=int, default=LENGTHS[-1], metavar="CELLS", help="longest queue")
    options = parser.parse_args()
    found = measure(
        [cells for cells in LENGTHS if cells <= options.longest],
        [cells for cells in HTTP_LENGTHS if cells <= options.longest],
    )
    for title, rows in found.items():
        print(f"{title} by queued cells")
        for cells, figures in rows.items():
            shown = "  ".join(f"{name} {value:.1f}" for name, value in figures.items())
            print(f"{int(cells):>9,}  {shown}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
