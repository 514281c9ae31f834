"""Changes that many requests ask for at once: one thread makes them, and shares its commits among them.

A thread for each request would wait in turn for the interpreter, for the database, for the commit and for the
interpreter again: for short changes that is more work than the changes themselves.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from fastapi.concurrency import run_in_threadpool

from coordinator.store.database import Change, Database, Outcome
from coordinator.store.group_commit import MOST_SECONDS

T = TypeVar("T")


class Changes:
    """Makes changes for the requests of one event loop, in the order in which they come.

    Parameters
    ----------
    database : Database
        What is changed. PostgreSQL, where each session waits for its own commit, gets a thread for each.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asked: deque[tuple[Change[Any], asyncio.Future[Any]]] = deque()
        self._thread: ThreadPoolExecutor | None = None
        self._is_at_work = False

    async def make(self, change: Change[T]) -> T:
        """Make a change, and return what it says once it is durable.

        One that was begun is made, even if nobody waits for it any more.
        """
        if not self._database.is_sqlite:
            return await run_in_threadpool(self._database.change, change)
        told: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._asked.append((change, told))
        if not self._is_at_work:
            self._begin()
        return await told

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "changes")
        self._is_at_work = True
        made = asyncio.get_running_loop().run_in_executor(self._thread, self._work)
        made.add_done_callback(self._tell)

    def _work(self) -> list[tuple[asyncio.Future[Any], Outcome[Any]]]:
        waiting: list[asyncio.Future[Any]] = []
        ends = time.monotonic() + MOST_SECONDS
        # Those that come while it works are left for the next commit: who is answered in the meantime reads,
        # computes and asks again beside it. Taken along, all would wait for the last, and then ask at once.
        asked = len(self._asked)

        def changes() -> Iterator[Change[Any]]:
            for _ in range(asked):
                change, told = self._asked.popleft()
                # A job that was given to somebody who has left would wait for the end of its lease.
                if not told.cancelled():
                    waiting.append(told)
                    yield change
                # The first shall not wait for long.
                if time.monotonic() >= ends:
                    return

        try:
            outcomes = self._database.change_each(changes())
        except BaseException as error:
            # Whatever it is: nobody may be left without an answer.
            outcomes = [Outcome(error=error) for _ in waiting]
        return list(zip(waiting, outcomes, strict=True))

    def _tell(self, made: asyncio.Future[list[tuple[asyncio.Future[Any], Outcome[Any]]]]) -> None:
        self._is_at_work = False
        if self._asked:
            self._begin()
        for told, outcome in made.result():
            if told.cancelled():
                continue
            if outcome.error is None:
                told.set_result(outcome.value)
            else:
                told.set_exception(outcome.error)
