"""The facts that metrics are counted from."""

from __future__ import annotations

from dataclasses import replace

from common.out_folder import OutFolder
from coordinator.metrics.facts import read_facts
from coordinator.views.jobs import attempts_of, jobs_of
from tests.coordinator.metrics.scraped import surveyed
from tests.coordinator.specimens import Night, failure, renewal


def test_the_rows_of_the_run_are_whole_but_for_their_long_documents(night: Night) -> None:
    boot = surveyed(night)
    night.queue.fail(night.grant(boot).lease_id, failure())
    night.clock.advance(60)
    night.queue.renew(night.grant(boot).lease_id, renewal())
    with night.database.read() as tx:
        facts = read_facts(tx, night.settings, night.forecast, OutFolder(night.out).progress)
        found = jobs_of(tx, 1)
        history = attempts_of(tx, [job.id for job in found])
    assert facts.run is not None
    assert list(facts.run.jobs.values()) == [replace(job, spec=None) for job in found]
    tried = sorted((one for tries in history.values() for one in tries), key=lambda one: one.id)
    assert tried[1].evidence and tried[2].progress
    assert list(facts.run.attempts) == [replace(one, evidence="", progress=None) for one in tried]
