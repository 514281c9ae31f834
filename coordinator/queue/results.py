"""The result of a finished job: a survey's report, or a model with its report and manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy import bindparam, exists, select, update

from common.errors import DigestMismatchError, InvalidRequestError
from common.model_pickle import pickle_bytes, pickle_digest
from common.protocol.faults import model_fault, report_fault
from common.protocol.job_views import Outcome
from common.protocol.jobs import JobKind, TrainingSpec
from common.protocol.reports import Manifest, SurveyReport, TrainingReport
from common.protocol.trainers import Finish
from coordinator.queue import surveys
from coordinator.queue.attempts import succeed
from coordinator.queue.checkpoints import discard_checkpoint
from coordinator.queue.trainings import store_training
from coordinator.queue.transitions import Ending
from coordinator.store.database import Database, Transaction
from coordinator.store.documents import read_document, spec_of
from coordinator.store.prepared import Prepared
from coordinator.store.rows import AttemptRow, JobRow
from coordinator.store.tables import attempts, blobs, manifests

_STORED = {name: bindparam(name, type_=blobs.c[name].type) for name in ("sha256", "size", "stored")}
_BLOB = Prepared(
    blobs.insert().from_select(
        list(_STORED), select(*_STORED.values()).where(~exists().where(blobs.c.sha256 == _STORED["sha256"]))
    )
)
_MADE_OF = select(manifests.c.document).where(manifests.c.sha256 == bindparam("of")).limit(1)
_ATTEMPT = Prepared(update(attempts).where(attempts.c.id == bindparam("this")))


@dataclass(frozen=True)
class Model:
    """A model's .pkl, as the coordinator has made it from the manifest; `keep` stores it if need be."""

    sha256: str
    size: int
    keep: Callable[[], None] = lambda: None


def accept(
    tx: Transaction, job: JobRow, attempt: AttemptRow, finish: Finish, model: Model | None = None
) -> surveys.Surveyed:
    """Store a job's result and end its attempt; without a `model` its .pkl was uploaded before.

    Returns
    -------
    Surveyed
        What a survey made of its cells; of a training nothing.

    Raises
    ------
    InvalidRequestError
        The result is not of this job, or contradicts itself, the specification or the survey.
    DigestMismatchError
        The artifact was not uploaded under this lease, or is not the one that the manifest names.
    """
    ending = Ending(Outcome.SUCCEEDED, seconds=finish.seconds, peak_memory_bytes=finish.peak_memory_bytes)
    if job.kind is JobKind.SURVEY and isinstance(finish.result, SurveyReport):
        surveyed = surveys.apply(tx, job, finish.result)
        succeed(tx, job, attempt, ending)
        return surveyed
    if job.kind is JobKind.TRAINING and isinstance(finish.result, TrainingReport):
        report = finish.result
        made = model if attempt.artifact_sha256 is None else None
        if made is not None:
            attempt = replace(attempt, artifact_sha256=made.sha256)
        _check(tx, job, attempt, finish, report, is_made=made is not None)
        if made is not None:
            _keep(tx, made)
        store_training(tx, job.id, report)
        discard_checkpoint(tx, job.id)
        succeed(
            tx,
            job,
            attempt,
            replace(ending, resumed_folds=report.resumed_folds, artifact_sha256=attempt.artifact_sha256),
            auc=report.scores.auc,
            p_value=report.p_value,
            scores=report.scores.model_dump_json(),
            program=report.program,
        )
        return surveys.Surveyed()
    raise InvalidRequestError(f"the {job.kind} job {job.id} cannot end with this kind of report")


def attach(tx: Transaction, attempt: AttemptRow, model: Model) -> None:
    """Record that the model of an attempt is stored."""
    _keep(tx, model)
    _ATTEMPT.on(tx.connection, {"this": attempt.id, "artifact_sha256": model.sha256})


def _keep(tx: Transaction, model: Model) -> None:
    """Record a model, if it is not known yet: another job may have brought the same."""
    _BLOB.on(tx.connection, {"sha256": model.sha256, "size": model.size, "stored": tx.now})


def made_by(finish: Finish) -> bytes:
    """Return the .pkl that a result's manifest makes; empty if there is none, or not the announced one."""
    if not isinstance(finish.result, TrainingReport) or model_fault(finish.result.manifest):
        return b""
    content = pickle_bytes(finish.result.manifest)
    digests = {finish.artifact_sha256, finish.result.manifest.pickle_sha256}
    return content if digests == {hashlib.sha256(content).hexdigest()} else b""


def made_again(database: Database, sha256: str) -> bytes:
    """Return the .pkl of a digest as the manifest of a job that is done makes it; empty if none does."""
    with database.read() as tx:
        document = tx.connection.execute(_MADE_OF, {"of": sha256}).scalar()
    manifest = read_document(Manifest, document, "a model that is done")
    return b"" if manifest is None or model_fault(manifest) else pickle_bytes(manifest)


def _check(
    tx: Transaction, job: JobRow, attempt: AttemptRow, finish: Finish, report: TrainingReport, is_made: bool
) -> None:
    manifest = report.manifest
    for cell in (report.cell, manifest.cell):
        if cell != job.cell:
            raise InvalidRequestError(f"a report about {cell.name} cannot end {job.name}")
    assert job.spec is not None
    spec = spec_of(job.spec)
    assert isinstance(spec, TrainingSpec)
    if manifest.synthetic != spec.synthetic:
        told = f"the manifest says synthetic={manifest.synthetic}, the survey synthetic={spec.synthetic}"
        raise InvalidRequestError(f"{job.name}: {told}")
    surveyed = surveys.series_of(tx, job)
    span = surveyed.span if surveyed else None
    if fault := report_fault(report, spec, job.rows, span):
        raise InvalidRequestError(f"{job.name}: {fault}")
    # Whoever loads the .pkl runs what it holds.
    if not is_made and manifest.pickle_sha256 != pickle_digest(manifest):
        raise InvalidRequestError(f"{job.name}: the .pkl is not the one that the manifest makes")
    if len({finish.artifact_sha256, manifest.pickle_sha256, attempt.artifact_sha256}) != 1:
        raise DigestMismatchError(
            f"{job.name}: artifact {finish.artifact_sha256 or 'none'} is announced,"
            f" {attempt.artifact_sha256 or 'none'} was uploaded,"
            f" and the manifest names {manifest.pickle_sha256 or 'none'}",
            "upload the .pkl that the manifest names, then finish",
        )
