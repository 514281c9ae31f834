"""Trainers that say everything until somebody hears it, and what must be true of their night."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import select

from common.client.trainers import TrainerClient
from common.errors import StaleLeaseError, UnavailableError
from common.protocol.job_views import Outcome
from common.protocol.jobs import JobState, SurveySpec
from common.protocol.trainers import Grant
from coordinator.store.database import Database
from coordinator.store.tables import attempts, jobs
from tests.coordinator.process import eventually
from tests.coordinator.specimens import claim, finish, hello, renewal, survey_report, training_report


class Crew:
    """Trainers that work when they may, each at one of the coordinators, at another if that does not answer.

    `work` lets them hand in so many jobs more, `work_on` all that there are and come; `end` lets them leave.
    """

    def __init__(self, urls: Sequence[str], token: Path, trainers: int) -> None:
        self.urls, self.token = urls, token
        self._unbounded = threading.Event()
        self._may_leave = threading.Event()
        self.finished: Counter[int] = Counter()
        self.faults: list[BaseException] = []
        self._allowed = threading.Semaphore(0)
        self._threads = [threading.Thread(target=self._guarded, args=(one,)) for one in range(trainers)]
        for thread in self._threads:
            thread.start()

    def work(self, count: int) -> None:
        before = self.finished.total()
        self._allowed.release(count)
        eventually(lambda: True if self.faults or self.finished.total() >= before + count else None)
        assert not self.faults, self.faults

    def work_on(self) -> None:
        self._unbounded.set()

    def end(self) -> None:
        self._unbounded.set()
        self._may_leave.set()
        for thread in self._threads:
            thread.join()
        assert not self.faults, self.faults

    def _guarded(self, number: int) -> None:
        try:
            self._train(number)
        except BaseException as error:
            self.faults.append(error)

    def _train(self, number: int) -> None:
        boot = f"trainer-{number}-boot"
        with ExitStack() as stack:
            clients = [stack.enter_context(TrainerClient(url, self.token)) for url in self.urls]
            turn = itertools.cycle(clients[number % len(clients) :] + clients[: number % len(clients)])
            client = next(turn)

            def insist(name: str, *arguments: object) -> object:
                nonlocal client

                def ask() -> tuple[object] | None:
                    nonlocal client
                    try:
                        return (getattr(client, name)(*arguments),)
                    except UnavailableError:
                        client = next(turn)
                        return None

                return eventually(ask)[0]

            insist("register", hello(f"trainer-{number}", boot, host=f"host-{number % 4}"))
            while True:
                grant = insist("claim", claim(boot))
                if isinstance(grant, Grant):
                    self._hand_in(grant, insist)
                elif self._may_leave.wait(0.2):
                    return

    def _hand_in(self, grant: Grant, insist: Callable[..., object]) -> None:
        try:
            while not self._allowed.acquire(timeout=1.0) and not self._unbounded.is_set():
                insist("renew", grant.lease_id, renewal())
            if isinstance(grant.spec, SurveySpec):
                insist("finish", grant.lease_id, finish(survey_report(grant.spec)))
            else:
                report, content = training_report(grant.spec)
                sha256 = report.manifest.pickle_sha256
                insist("upload_artifact", grant.lease_id, content, sha256)
                insist("finish", grant.lease_id, finish(report, sha256))
        except StaleLeaseError:
            # On a busy machine it was silent for too long: the job is another's.
            self._allowed.release()
            return
        self.finished[grant.job_id] += 1


def assert_whole(database: Database, run: int) -> None:
    """Assert that each job was done once, and was leased to one trainer at a time."""
    with database.read() as tx:
        states = tx.connection.execute(select(jobs.c.id, jobs.c.state).where(jobs.c.run_id == run)).all()
        tries = tx.connection.execute(select(attempts).order_by(attempts.c.job_id, attempts.c.number)).all()
    assert {row.state for row in states} == {JobState.SUCCEEDED}
    done = Counter(row.job_id for row in tries if row.outcome == Outcome.SUCCEEDED)
    assert done == {row.id: 1 for row in states}
    for before, after in itertools.pairwise(tries):
        assert before.job_id != after.job_id or before.ended <= after.started
