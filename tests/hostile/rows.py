"""Rows that an earlier version believed: one value of one row made hostile, then everybody reads.

Numbers and texts are such as a trainer could once have told; of a document one leaf is changed. Nobody may
fail at it: not the status, a page, a scrape, a report, a duty of the coordinator, nor the next trainer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Table, select, text

from common.protocol.jobs import JobKind, JobState
from coordinator.queue.checkpoints import save_checkpoint
from coordinator.store.tables import jobs, metadata
from tests.coordinator.specimens import checkpoint
from tests.hostile.leaves import changed, hostile, kept_aside
from tests.hostile.outcome import Log, Outcome, Setup
from tests.hostile.readers import BrokenPromiseError, Reader, log_lines
from tests.hostile.target import Target, target

TOLD: dict[str, tuple[str, ...]] = {
    "attempts": (
        "trainer", "seconds", "peak_memory_bytes", "memory_limit_bytes", "progress", "message", "evidence",
    ),
    "jobs": ("rows", "volume", "auc", "p_value", "scores", "message"),
    "measurements": ("rows", "seconds", "peak_memory_bytes"),
    "trainers": (
        "memory_limit_bytes", "memory_total_bytes", "memory_available_bytes", "cpu_ratio",
        "name", "version", "load", "disk_free_bytes", "disk_problem",
    ),
    "reports": ("document",),
    "manifests": ("document", "comparison"),
    "checkpoints": ("document",),
}  # fmt: skip
"""The columns that hold what trainers said, by table."""
NUMBERS: tuple[Any, ...] = (-1, 0, 1e12, 1e308, -1e308, 2**31, 2**53, 2**63 - 1, -(2**63))
TEXTS: tuple[Any, ...] = ("", "\x1b[2J\x1b]0;owned\x07", "a\nb", "x" * 100_000, "\u202etxt.exe")


def rows(setup: Setup) -> Iterator[Outcome]:
    """Yield a line for each table."""
    with target(setup.folder) as coordinator, log_lines() as log:
        _keep_folds(coordinator)
        reader, restore = Reader(coordinator), kept_aside(coordinator)
        for name, columns in TOLD.items():
            random, results = setup.random(name), Log()
            tries = list(_tries(coordinator, metadata.tables[name], columns))
            for key, column, value in random.sample(tries, min(setup.tries(40, 1), len(tries))):
                where = f"{name}.{column} = {str(value)[:60]!r}"
                setup.say(where)
                with coordinator.parts.database.write() as tx:
                    tx.connection.execute(
                        text(f"UPDATE {name} SET {column} = :value WHERE rowid = :key"),
                        {"value": value, "key": key},
                    )
                results.add(*_read(reader, where))
                if forged := log.forged():
                    results.add("forged", f"{where}: a line of the log is {forged!r}")
                restore()
            yield results.outcome(f"rows: one value of {name}")


def _keep_folds(coordinator: Target) -> None:
    """Leave a checkpoint, as a job that was interrupted does."""
    with coordinator.parts.database.write() as tx:
        query = select(jobs.c.id).where(jobs.c.kind == JobKind.TRAINING, jobs.c.state == JobState.QUEUED)
        save_checkpoint(tx, tx.connection.execute(query).scalars().first(), checkpoint())


def _tries(coordinator: Target, table: Table, columns: Sequence[str]) -> Iterator[tuple[int, str, Any]]:
    with coordinator.parts.database.read() as tx:
        for column in columns:
            yield from _of_column(tx.connection, table, column)


def _of_column(connection: Connection, table: Table, column: str) -> Iterator[tuple[int, str, Any]]:
    found = connection.execute(text(f"SELECT rowid, {column} FROM {table.name}")).all()
    is_text = table.columns[column].type.python_type is str
    for key, value in found:
        if isinstance(value, str) and value.startswith("{"):
            document = json.loads(value)
            for place, leaf in hostile(document):
                try:
                    yield key, column, _encoded(changed(document, place, leaf))
                except UnicodeEncodeError:
                    # No database holds half a character.
                    continue
        for plain in TEXTS if is_text else NUMBERS:
            yield key, column, plain


def _encoded(document: Any) -> str:
    written = json.dumps(document, ensure_ascii=False)
    written.encode()
    return written


def _read(reader: Reader, where: str) -> tuple[str, str]:
    try:
        reader.work()
        reader.read()
    except BrokenPromiseError as error:
        return "broken", f"{where}: {error}"
    return "read", ""
