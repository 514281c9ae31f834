"""A night in the middle, with a bit of everything that a database keeps, and how it goes on."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from common.protocol.jobs import Cause, TrainingSpec
from common.protocol.runs import RunState
from coordinator.store.database import Database
from coordinator.store.rows import find_run
from coordinator.store.tables import attempts
from coordinator.store.transfer import TABLES
from coordinator.views.results import results_of
from tests.coordinator.one_cell import trained
from tests.coordinator.specimens import Night, checkpoint, failure, finish, renewal, training_report
from tests.coordinator.test_alerts import notification, told

Rows = dict[str, list[Any]]


def in_progress(night: Night) -> tuple[int, str]:
    """Train one night and half of another; return that one and the lease of a job at work."""
    trained(night)
    night.housekeeping.tick()
    night.clock.advance(60)
    run = night.begin(horizons=(1, 3, 5))
    boot = night.register("t2")
    night.survey_all(boot)
    night.succeed(night.grant(boot), seed="second")
    night.queue.fail(
        night.grant(boot).lease_id, failure(Cause.ERROR, "it broke: \u00fcber \U0001f680 'quoted'")
    )
    saved = night.grant(boot)
    night.queue.save_checkpoint(saved.lease_id, checkpoint())
    night.queue.renew(saved.lease_id, renewal())
    night.alerts.accept(notification(told()))
    return run, saved.lease_id


def content(database: Database) -> Rows:
    with database.read() as tx:
        found = {table.name: tx.connection.execute(select(table)).all() for table in TABLES}
    return {name: sorted(map(tuple, rows), key=repr) for name, rows in found.items()}


def gone_on(night: Night, run: int, lease: str) -> dict[str, Any]:
    """Go on with the night to its end, and return its results."""
    night.queue.renew(lease, renewal())
    spec = night.detail(job_of(night, lease)).spec
    assert isinstance(spec, TrainingSpec)
    report, pickle = training_report(spec)
    night.artifacts.store(pickle, report.manifest.pickle_sha256)
    night.queue.attach_artifact(lease, report.manifest.pickle_sha256, len(pickle))
    night.queue.finish(lease, finish(report, report.manifest.pickle_sha256))
    night.clock.advance(600)
    night.finish_all("t2-boot")
    night.housekeeping.tick()
    with night.database.read() as tx:
        row = find_run(tx, run)
        assert row.state is RunState.DONE
        return results_of(tx, row).model_dump(mode="json")


def job_of(night: Night, lease: str) -> int:
    with night.database.read() as tx:
        found = tx.connection.execute(select(attempts.c.job_id).where(attempts.c.lease_id == lease))
        return int(found.scalar_one())
