"""Jobs that ran out of memory and that no live trainer can ever take."""

from __future__ import annotations

from common.protocol.jobs import Cause, JobKind, JobState
from common.settings.night import NightSettings
from coordinator.policy.admission import roomless
from coordinator.queue.attempts import fail_cells
from coordinator.queue.candidates import Candidates
from coordinator.queue.snapshot import read_scene
from coordinator.queue.stretches import QUEUED, Stretch
from coordinator.queue.transitions import end_queued
from coordinator.store.database import Transaction
from coordinator.store.rows import JOBS, JobRow, running_head
from coordinator.store.tables import jobs


def fail_roomless(tx: Transaction, settings: NightSettings) -> list[tuple[JobRow, str]]:
    """Fail the jobs that ran out of memory and for which no live trainer has room; return them and why."""
    run = running_head(tx)
    # Asked twice a second, whatever the queue's length: by an index that holds these jobs alone.
    starved = () if run is None else Stretch(("after oom",), {"run": run.id}).read(tx.connection)
    if run is None or not starved:
        return []
    scene = read_scene(tx.connection, run.id, tx.now, settings)
    candidates = Candidates(tx.connection, run.id, tx.now, scene.history).of(starved)
    reasons = {one.job_id: words for one in candidates if (words := roomless(one, scene.terms))}
    if not reasons:
        return []
    failed: list[tuple[JobRow, str]] = []
    taken_along: set[str] = set()
    hopeless = JOBS.where(QUEUED, jobs.c.oom_room_bytes.is_not(None), jobs.c.id.in_(list(reasons)))
    surveys_first = hopeless.order_by(jobs.c.kind, jobs.c.id)
    for row in tx.connection.execute(surveys_first.with_for_update()).all():
        job, words = JobRow.of(row), reasons[row.id]
        if job.symbol in taken_along:
            continue
        end_queued(tx, job, JobState.FAILED, Cause.OOM, words)
        if job.kind is JobKind.SURVEY:
            taken_along.add(job.symbol)
            fail_cells(tx, job, Cause.OOM, f"the survey of {job.symbol} failed: {words}")
        failed.append((job, words))
    return failed
