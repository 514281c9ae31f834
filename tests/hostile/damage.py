"""Bytes of a database turned over: its coordinator starts and answers, or says in a line what is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

from common.errors import NighttrainError
from coordinator.store.database import Database, sqlite_url
from tests.coordinator.specimens import Clock, Night, settings
from tests.hostile.outcome import Log, Outcome, Setup
from tests.hostile.target import target

MOST_BYTES = 64


def damage(setup: Setup) -> Iterator[Outcome]:
    """Turn over bytes of a copy, cut it, or fill a page of it, and begin a night with it."""
    made = setup.folder / "made"
    made.mkdir()
    with target(made) as attacked, attacked.parts.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    random = setup.random("damage")
    logs = {"started": Log(), "asked": Log()}
    for number in range(setup.tries(2000, 60)):
        folder = setup.folder / "tried"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        path = folder / "nighttrain.db"
        how = _damaged(made / "nighttrain.db", path, random)
        _start(folder, logs, f"try {number}, {how}")
        setup.say(f"damage: {number + 1}")
    for name, log in logs.items():
        yield log.outcome(f"database: {name}")


def _start(folder: Path, logs: dict[str, Log], how: str) -> None:
    with closing(Database(sqlite_url(folder / "nighttrain.db"), Clock())) as database:
        try:
            database.upgrade()
        except NighttrainError as error:
            told = str(error)
            logs["started"].add("refused", "" if _is_a_line(told) else f"{how}: {told}")
            return
        except Exception as error:
            logs["started"].add("defect", f"{how}: {type(error).__name__}: {error}")
            return
        logs["started"].add("started")
        try:
            night = Night(database, settings(), folder)
            night.claim(night.register("t9"))
        except NighttrainError as error:
            told = str(error)
            logs["asked"].add("refused", "" if _is_a_line(told) else f"{how}: {told}")
        except Exception as error:
            logs["asked"].add("defect", f"{how}: {type(error).__name__}: {error}")
        else:
            logs["asked"].add("answered")


def _is_a_line(told: str) -> bool:
    return "\n" not in told and told.isprintable() and "defect" not in told


def _damaged(whole: Path, path: Path, random: Random) -> str:
    content = bytearray(whole.read_bytes())
    kind = random.choice(["bytes", "bytes", "bytes", "cut", "page"])
    if kind == "cut":
        at = random.randrange(len(content))
        del content[at:]
    elif kind == "page":
        at = random.randrange(len(content) // 4096) * 4096
        content[at : at + 4096] = random.randbytes(4096)
    else:
        for _ in range(random.randint(1, MOST_BYTES)):
            at = random.randrange(len(content))
            content[at] = random.randrange(256)
    path.write_bytes(content)
    return f"{kind} at {at}"
