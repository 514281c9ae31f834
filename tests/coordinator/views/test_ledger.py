"""What is kept of a night is what is there: compared after each of many changes in random order."""

from __future__ import annotations

import copy
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import invariant, precondition, run_state_machine_as_test
from prometheus_client import CollectorRegistry
from sqlalchemy import update

from common.metrics.kept import scrape
from common.protocol.job_views import Outcome
from common.protocol.jobs import JobKind, JobState
from coordinator.metrics.collector import NightCollector
from coordinator.store.rows import newest_run
from coordinator.store.tables import jobs
from coordinator.views import forecast
from coordinator.views.forecast import Forecast
from coordinator.views.jobs import attempts_of, jobs_of
from coordinator.views.ledger import Ledger
from coordinator.views.runs import run_view
from coordinator.views.status import RECENT_JOBS, SPEED_JOBS, Status
from tests.coordinator.metrics.scraped import Scrape
from tests.coordinator.queue.histories import Histories
from tests.coordinator.specimens import Night

OF_THE_MACHINE = ("host_", "coordinator_memory", "database_size")


class Kept:
    """What one process keeps of a night, and the same read from nothing."""

    def __init__(self, night: Night) -> None:
        self.night = night
        self.status = night.status()
        self.registry = self._registry(night.ledger)

    def documents(self) -> tuple[dict[str, Any], dict[str, Any]]:
        afresh: Status = copy.copy(self.status)
        afresh.ledger = Ledger(self.night.database)
        afresh.forecast = Forecast(afresh.ledger, self.night.settings)
        kept, new = (one.document().model_dump(exclude={"system"}) for one in (self.status, afresh))
        return kept, new

    def scrapes(self) -> tuple[dict[Any, float], dict[Any, float]]:
        kept, new = (
            self._values(one) for one in (self.registry, self._registry(Ledger(self.night.database)))
        )
        return kept, new

    def _registry(self, ledger: Ledger) -> CollectorRegistry:
        registry = CollectorRegistry()
        estimate = Forecast(ledger, self.night.settings)
        registry.register(NightCollector(ledger, self.night.settings, self.night.out, estimate, "1.2.3"))
        return registry

    def _values(self, registry: CollectorRegistry) -> dict[Any, float]:
        values = Scrape(scrape(registry, "", "")[0].decode()).values
        return {
            key: value
            for key, value in values.items()
            if not key[0].removeprefix("nighttrain_").startswith(OF_THE_MACHINE)
        }


class Looked(Histories):
    """The queue's machine, looked at after each change."""

    kept: Kept | None = None

    @precondition(lambda self: hasattr(self, "held"))
    @invariant()
    def what_is_kept_is_what_is_there(self) -> None:
        if self.kept is None or self.kept.night is not self.night:
            self.kept = Kept(self.night)
        kept, new = self.kept.documents()
        assert kept == new
        self._as_counted_one_by_one(kept)
        scraped, anew = self.kept.scrapes()
        assert scraped == anew
        self._as_reported_one_by_one(scraped)

    def _as_counted_one_by_one(self, document: dict[str, Any]) -> None:
        with self.night.database.read() as tx:
            run = newest_run(tx)
            assert run is not None
            assert document["run"] == run_view(tx, run).model_dump()
            found = jobs_of(tx, run.id)
            tries = attempts_of(tx, [job.id for job in found])
        scored = [job for job in found if job.auc is not None]
        touched = [job for job in found if job.started is not None or job.state is not JobState.QUEUED]
        newest = sorted(touched, key=lambda job: (job.changed, job.id), reverse=True)[:RECENT_JOBS]
        assert [job["id"] for job in document["recent_jobs"]] == [job.id for job in newest]
        best = max(scored, key=lambda job: (job.auc, -job.ordinal), default=None)
        last = max(scored, key=lambda job: (job.finished, -job.ordinal), default=None)
        for name, job in (("best", best), ("last", last)):
            assert (document[name] and document[name]["job_id"]) == (job and job.id)
        done = sorted(
            (one.ended, one.id, one.started)
            for job in found
            if job.kind is JobKind.TRAINING
            for one in tries[job.id]
            if one.outcome is Outcome.SUCCEEDED and one.ended is not None
        )
        speed = document["speed"]["jobs_per_hour"]
        if run.finished is None:
            done = done[-SPEED_JOBS:]
        if done:
            seconds = max((done[-1][0] - min(one[2] for one in done)).total_seconds(), 1e-3)
            assert speed == len(done) / seconds * 3600
        else:
            assert speed is None

    def _as_reported_one_by_one(self, values: dict[Any, float]) -> None:
        with self.night.database.read() as tx:
            found = jobs_of(tx, self.run)
            tries = [one for some in attempts_of(tx, [job.id for job in found]).values() for one in some]

        def said(name: str, **labels: str) -> float | None:
            return values.get((f"nighttrain_{name}", tuple(sorted(labels.items()))))

        ended = Counter(one.outcome for one in tries if one.outcome is not Outcome.RUNNING)
        assert {one: said("attempts_total", outcome=one) for one in ended} == ended
        assert said("claims_total") == len(tries)
        for symbol in {job.symbol for job in found}:
            waiting = [job for job in found if job.symbol == symbol and job.state is JobState.QUEUED]
            assert said("queue_jobs", symbol=symbol) == len(waiting)
            since = [self.clock.now - job.waiting_since for job in waiting if job.waiting_since is not None]
            oldest = max((one.total_seconds() for one in since), default=0.0)
            assert said("queue_oldest_wait_seconds", symbol=symbol) == max(0.0, oldest)
            failed = Counter(job.cause for job in found if job.symbol == symbol and job.state == "failed")
            for cause, count in failed.items():
                assert said("run_failed_jobs", symbol=symbol, cause=str(cause)) == count
        for job in found:
            if job.kind is JobKind.TRAINING:
                labels = {"symbol": job.symbol, "timeframe": str(job.timeframe), "horizon": str(job.horizon)}
                assert said("cell_auc_ratio", **labels) == job.auc
                assert said("cell_promoted", **labels) == job.promoted


def test_what_is_kept_of_a_night_is_what_is_there(migrated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # An estimate is kept for a moment, which is told by the clock and not by what has changed.
    monkeypatch.setattr(forecast, "KEPT_SECONDS", 0.0)

    class OnSqlite(Looked):
        def _open(self) -> Night:
            if not (self.folder / "nighttrain.db").exists():
                shutil.copy(migrated, self.folder / "nighttrain.db")
            return super()._open()

    run_state_machine_as_test(
        OnSqlite,
        settings=hypothesis_settings(
            max_examples=4, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_a_whole_course_from_night_to_night_is_kept_as_it_is(night: Night) -> None:
    kept = Kept(night)
    for auc in (0.51, 0.58):
        boot = night.start()
        night.finish_all(boot, auc=auc)
        before, _ = kept.documents()
        assert before["run"]["promoted"] == 0
        night.housekeeping.tick()
        for one, other in (kept.documents(), kept.scrapes()):
            assert one == other
        night.clock.advance(60)


def test_a_change_by_anybody_is_seen(night: Night) -> None:
    night.start()
    job = night.jobs(kind=JobKind.TRAINING)[0]
    with night.ledger.read() as (_, book):
        assert book is not None
        edition = book.edition(job.symbol)
    # Neither the state nor the moment of the last change tells of it.
    with night.database.write() as tx:
        tx.connection.execute(update(jobs).where(jobs.c.id == job.id).values(volume=12.5))
    with night.ledger.read() as (_, book):
        assert book is not None
        assert book.job(job.id).volume == 12.5
        assert book.edition(job.symbol) > edition


def test_what_has_not_changed_is_not_read_again(night: Night) -> None:
    boot = night.start()
    with night.ledger.read():
        pass
    grant = night.grant(boot)
    with night.ledger.read() as (_, book):
        assert book is not None
        editions = {symbol: book.edition(symbol) for symbol in ("BTCUSDT", "ETHUSDT")}
    night.succeed(grant)
    with night.ledger.read() as (_, book):
        assert book is not None
        changed = [symbol for symbol, edition in editions.items() if book.edition(symbol) != edition]
    assert changed == [night.detail(grant.job_id).symbol]
