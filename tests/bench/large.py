"""What a coordinator with many cells answers, how fast, and what memory that takes.

Status, metrics and page are asked of a real coordinator over a night with every queue length, when half of
its cells are done; before each question one job changes, so that nothing is answered from what was kept.
"""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path
from statistics import median

import httpx
import psutil
from sqlalchemy import select, update

from common.protocol.jobs import JobKind, JobState
from coordinator.store.database import Database, sqlite_url
from coordinator.store.tables import jobs
from tests.bench.coordinator import fill
from tests.coordinator.process import Process

ASKED = ("/api/status", "/metrics")
TIMES = 45
"""A median of so many says what a question takes that does not fall into a coordinator's first second."""
LEAST = 7_200
"""Fewer cells are no question."""
PAGE = "/"


def measured(cells: int) -> dict[str, float]:
    """Return the milliseconds of an answer, and the memory (PSS, MiB) before and after the page was asked."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="nighttrain-bench-") as name:
        out = Path(name)
        database = Database(sqlite_url(out / "nighttrain.db"))
        database.upgrade()
        fill(database, cells)
        queued = _cancel_half(database)
        process = Process(out)
        for pipe in process.process.stdout, process.process.stderr:
            assert pipe is not None
            threading.Thread(target=pipe.read, daemon=True).start()
        try:
            with httpx.Client(base_url=process.ready().url, timeout=120, trust_env=False) as client:
                client.get("/healthz").raise_for_status()
                for path in ASKED:
                    took = [_seconds(client, path, database, queued.pop()) for _ in range(TIMES)]
                    figures[f"{path} ms"] = median(took) * 1e3
                figures["MiB"] = _mebibytes(process)
                client.get(PAGE).raise_for_status()
                figures["MiB after the page"] = _mebibytes(process)
        finally:
            process.kill()
            database.close()
    return figures


def _seconds(client: httpx.Client, path: str, database: Database, job: int) -> float:
    with database.write() as tx:
        changed = update(jobs).where(jobs.c.id == job)
        tx.connection.execute(changed.values(state=JobState.CANCELLED, finished=tx.now))
    began = time.perf_counter()
    client.get(path).raise_for_status()
    return time.perf_counter() - began


def _cancel_half(database: Database) -> list[int]:
    with database.write() as tx:
        cells = select(jobs.c.id).where(jobs.c.kind == JobKind.TRAINING).order_by(jobs.c.id)
        ids = list(tx.connection.execute(cells).scalars())
        half = jobs.c.id.in_(select(jobs.c.id).where(jobs.c.kind == JobKind.TRAINING, jobs.c.id % 2 == 0))
        tx.connection.execute(
            update(jobs).where(half).values(state=JobState.CANCELLED, started=tx.now, finished=tx.now)
        )
    return [job for job in ids if job % 2]


def _mebibytes(process: Process) -> float:
    return float(psutil.Process(process.process.pid).memory_full_info().pss) / 2**20
