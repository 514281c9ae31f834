"""What operators order of champions, each in one transaction: one is promoted by hand, or a change undone.

The files of the models follow by the coordinator's own duty, also after a kill in between.
"""

from __future__ import annotations

from sqlalchemy import select

from common.errors import ConflictError, InvalidRequestError, NotFoundError
from common.protocol.jobs import Cell
from common.protocol.reports import Manifest
from common.protocol.steering import ReasonedOrder
from coordinator.audit import Effect, name_of
from coordinator.champions.registry import champion_jobs, champion_of, record_change
from coordinator.policy.rollback import champion_before, kind_refusal
from coordinator.store.database import Transaction
from coordinator.store.documents import read_document
from coordinator.store.tables import jobs, manifests


def promote(tx: Transaction, job_id: int, order: ReasonedOrder) -> Effect:
    """Make the model of a job champion of its cell, whatever the run has decided.

    Raises
    ------
    NotFoundError
        There is no such job, or it has no model.
    ConflictError
        Its certificate has failed, or it would replace a model of real candles by one of synthetic ones.
    """
    run_id, manifest = _model_of(tx, job_id)
    cell = manifest.cell
    present = champion_of(tx.connection, cell)
    # Another job may have trained the same, or have reused its result.
    if present is not None and (present.job_id == job_id or present.sha256 == manifest.pickle_sha256):
        words = f"the model of job {job_id} is champion of {cell.name} already"
        return Effect(words, changed=False, run=run_id, job=job_id)
    _assert_fit(tx, job_id, manifest)
    _assert_kind(job_id, manifest, present.manifest() if present is not None else None)
    record_change(tx, cell, job_id, order.reason, by=name_of(order))
    instead = f" instead of that of job {present.job_id}" if present is not None else ""
    words = f"the model of job {job_id} (night {run_id}) is champion of {cell.name}{instead}"
    return Effect(words, run=run_id, job=job_id)


def roll_back(tx: Transaction, cell: Cell, order: ReasonedOrder) -> Effect:
    """Make the model champion again that was before the present one; without one the cell is left vacant.

    Raises
    ------
    NotFoundError
        The cell has never had a champion.
    ConflictError
        The champion is of real candles, and the model before it of synthetic ones.
    InvalidRequestError
        The model before it cannot be read.
    """
    history = champion_jobs(tx.connection, cell)
    if not history:
        raise NotFoundError(f"{cell.name} has never had a champion")
    present, before = history[-1], champion_before(history)
    sitting = champion_of(tx.connection, cell)
    if before is not None:
        _assert_kind(before, _model_of(tx, before)[1], sitting.manifest() if sitting is not None else None)
    record_change(tx, cell, before, order.reason, by=name_of(order))
    gone = f"that of job {present} no longer" if present is not None else "where there was none"
    if before is None:
        return Effect(f"{cell.name} has no champion: {gone}", job=present)
    return Effect(f"the model of job {before} is champion of {cell.name} again, {gone}", job=before)


def _model_of(tx: Transaction, job_id: int) -> tuple[int, Manifest]:
    run_id = tx.connection.execute(select(jobs.c.run_id).where(jobs.c.id == job_id)).scalar()
    if run_id is None:
        raise NotFoundError(f"there is no job {job_id}")
    query = select(manifests.c.document).where(manifests.c.job_id == job_id)
    document = tx.connection.execute(query).scalar()
    if document is None:
        raise NotFoundError(f"job {job_id} has no model", "name a job that has succeeded")
    manifest = read_document(Manifest, document, f"the model of job {job_id}")
    if manifest is None:
        raise InvalidRequestError(f"the model of job {job_id} cannot be read", "name another job")
    return int(run_id), manifest


def _assert_kind(job_id: int, manifest: Manifest, champion: Manifest | None) -> None:
    problem = kind_refusal(job_id, manifest.synthetic, None if champion is None else champion.synthetic)
    if problem:
        raise ConflictError(problem, "promote a model of real candles")


def _assert_fit(tx: Transaction, job_id: int, manifest: Manifest) -> None:
    query = select(manifests.c.certified).where(manifests.c.job_id == job_id)
    if not tx.connection.execute(query).scalar_one():
        failed = (
            ", ".join(check.name for check in manifest.certificate.failed) or "it is not that of its report"
        )
        problem = f"the certificate of the model of job {job_id} has failed: {failed}"
        raise ConflictError(problem, "what is not certified is never promoted")
