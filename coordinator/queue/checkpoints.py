"""The finished folds of jobs that are not done yet: the latest checkpoint of each job."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import bindparam, delete, func, or_, select, update

from common.protocol.jobs import JobState
from common.protocol.reports import Checkpoint
from coordinator.store.database import Transaction
from coordinator.store.documents import read_document
from coordinator.store.prepared import Prepared
from coordinator.store.rows import JobRow
from coordinator.store.tables import checkpoints, jobs

_DOCUMENT = select(checkpoints.c.document).where(checkpoints.c.job_id == bindparam("job"))
_DISCARDED = Prepared(delete(checkpoints).where(checkpoints.c.job_id == bindparam("job")))
# The last run that came to the cell; one that has done it kept no checkpoint, and leaves nothing to do.
_LAST = (
    select(func.max(jobs.c.id))
    .outerjoin_from(jobs, checkpoints, checkpoints.c.job_id == jobs.c.id)
    .where(or_(checkpoints.c.job_id.is_not(None), jobs.c.state == JobState.SUCCEEDED))
    .where(jobs.c.run_id < bindparam("run"), jobs.c.symbol == bindparam("symbol"))
    .where(jobs.c.timeframe == bindparam("timeframe"), jobs.c.horizon == bindparam("horizon"))
)
_EARLIER = select(checkpoints.c.document).where(checkpoints.c.job_id == _LAST.scalar_subquery())
_BOTH = Prepared(
    select(_DOCUMENT.scalar_subquery().label("own"), _EARLIER.scalar_subquery().label("earlier"))
)


def save_checkpoint(tx: Transaction, job_id: int, checkpoint: Checkpoint) -> None:
    """Keep a checkpoint in place of the job's earlier one."""
    values = {"folds": len(checkpoint.folds), "saved": tx.now, "document": checkpoint.model_dump_json()}
    changed = tx.connection.execute(
        update(checkpoints).where(checkpoints.c.job_id == job_id).values(**values)
    )
    if changed.rowcount == 0:
        tx.connection.execute(checkpoints.insert().values(job_id=job_id, **values))


def load_checkpoint(tx: Transaction, job_id: int) -> Checkpoint | None:
    """Return a job's latest checkpoint."""
    document = tx.connection.execute(_DOCUMENT, {"job": job_id}).scalar()
    return read_document(Checkpoint, document, f"the checkpoint of job {job_id}")


def checkpoints_of(tx: Transaction, job: JobRow) -> Iterator[Checkpoint | None]:
    """Yield what there may be to go on from: the folds that a job has saved, and what it may do without.

    The latter are those that its cell had saved when an earlier run left it undone. A trainer goes on with
    them only where all that a fold depends on is the same: candles, configuration, versions.
    """
    cell = {"symbol": job.symbol, "timeframe": job.timeframe, "horizon": job.horizon}
    row = _BOTH.on(tx.connection, {"job": job.id, "run": job.run_id, **cell}).one()
    yield read_document(Checkpoint, row.own, f"the checkpoint of job {job.id}")
    yield read_document(Checkpoint, row.earlier, f"an earlier checkpoint of {job.name}")


def discard_checkpoint(tx: Transaction, job_id: int) -> None:
    """Forget the checkpoint of a job that is done; its folds are in its report."""
    _DISCARDED.on(tx.connection, {"job": job_id})
