"""The result of a finished job: a survey's report, or a model with its report and manifest."""

from __future__ import annotations

import math
from dataclasses import replace

from common.errors import DigestMismatchError, InvalidRequestError
from common.model_pickle import pickle_digest
from common.protocol.job_views import Outcome
from common.protocol.jobs import JobKind, TrainingSpec
from common.protocol.reports import Manifest, SurveyReport, TrainingReport
from common.protocol.trainers import Finish
from coordinator.queue import surveys
from coordinator.queue.attempts import succeed
from coordinator.queue.checkpoints import discard_checkpoint
from coordinator.queue.transitions import Ending
from coordinator.store.database import Transaction
from coordinator.store.rows import AttemptRow, JobRow
from coordinator.store.tables import manifests, reports

_REPORT, _MANIFEST = reports.insert(), manifests.insert()


def accept(tx: Transaction, job: JobRow, attempt: AttemptRow, finish: Finish) -> list[JobRow]:
    """Store a job's result and end its attempt.

    Returns
    -------
    list of JobRow
        Cells that a survey refused.

    Raises
    ------
    InvalidRequestError
        The result is not of this job.
    DigestMismatchError
        The artifact was not uploaded under this lease, or is not the one that the manifest names.
    """
    ending = Ending(Outcome.SUCCEEDED, seconds=finish.seconds, peak_memory_bytes=finish.peak_memory_bytes)
    if job.kind is JobKind.SURVEY and isinstance(finish.result, SurveyReport):
        refused = surveys.apply(tx, job, finish.result)
        succeed(tx, job, attempt, ending)
        return refused
    if job.kind is JobKind.TRAINING and isinstance(finish.result, TrainingReport):
        report = finish.result
        _check(job, attempt, finish, report)
        _store(tx, job, report)
        discard_checkpoint(tx, job.id)
        succeed(
            tx,
            job,
            attempt,
            replace(ending, resumed_folds=report.resumed_folds),
            auc=report.scores.auc,
            p_value=report.p_value,
            scores=report.scores.model_dump_json(),
        )
        return []
    raise InvalidRequestError(f"the {job.kind} job {job.id} cannot end with this kind of report")


def _check(job: JobRow, attempt: AttemptRow, finish: Finish, report: TrainingReport) -> None:
    manifest = report.manifest
    for cell in (report.cell, manifest.cell):
        if cell != job.cell:
            raise InvalidRequestError(f"a report about {cell.name} cannot end {job.name}")
    assert job.spec is not None
    synthetic = TrainingSpec.model_validate_json(job.spec).synthetic
    if manifest.synthetic != synthetic:
        problem = (
            f"{job.name}: the manifest says synthetic={manifest.synthetic}, the survey synthetic={synthetic}"
        )
        raise InvalidRequestError(problem)
    if fault := fault_of(manifest):
        raise InvalidRequestError(f"{job.name}: {fault}")
    if len({finish.artifact_sha256, manifest.pickle_sha256, attempt.artifact_sha256}) != 1:
        raise DigestMismatchError(
            f"{job.name}: artifact {finish.artifact_sha256 or 'none'} is announced,"
            f" {attempt.artifact_sha256 or 'none'} was uploaded,"
            f" and the manifest names {manifest.pickle_sha256 or 'none'}",
            "upload the .pkl that the manifest names, then finish",
        )


def fault_of(manifest: Manifest) -> str:
    """Return what is wrong with a model by itself; empty if nothing is.

    Its .pkl must be the one that its manifest makes: whoever loads it runs what it holds.
    """
    columns = len(manifest.features)
    lengths = {len(each) for each in (manifest.means, manifest.scales, manifest.coefficients)}
    if lengths != {columns}:
        return f"the manifest has {columns} features, but means, scales or coefficients of other lengths"
    numbers = (*manifest.means, *manifest.scales, *manifest.coefficients, manifest.intercept, manifest.C)
    if not all(map(math.isfinite, numbers)) or min(*manifest.scales, manifest.C) <= 0.0:
        return "a number of the manifest is not finite, or a scale or C is not positive"
    if manifest.pickle_sha256 != pickle_digest(manifest):
        return "the .pkl is not the one that the manifest makes"
    return ""


def _store(tx: Transaction, job: JobRow, report: TrainingReport) -> None:
    manifest = report.manifest
    document = report.model_dump_json(exclude={"manifest"})
    tx.connection.execute(_REPORT, {"job_id": job.id, "document": document})
    tx.connection.execute(
        _MANIFEST,
        {
            "job_id": job.id,
            "sha256": manifest.pickle_sha256,
            # What was certified must be what is kept.
            "certified": report.certificate.valid and manifest.certificate == report.certificate,
            "comparison": report.champion.model_dump_json() if report.champion else None,
            "document": manifest.model_dump_json(),
        },
    )
