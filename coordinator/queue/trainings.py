"""What a training brought back, as it is kept: its report, and apart from it its model."""

from __future__ import annotations

from common.protocol.reports import TrainingReport
from coordinator.store.database import Transaction
from coordinator.store.prepared import Prepared
from coordinator.store.tables import manifests, reports

_REPORT, _MANIFEST = Prepared(reports.insert()), Prepared(manifests.insert())


def store_training(tx: Transaction, job_id: int, report: TrainingReport) -> None:
    """Keep what a training job brought back; the .pkl of its model is recorded already."""
    manifest = report.manifest
    _REPORT.on(tx.connection, {"job_id": job_id, "document": report.model_dump_json(exclude={"manifest"})})
    _MANIFEST.on(
        tx.connection,
        {
            "job_id": job_id,
            "sha256": manifest.pickle_sha256,
            # What was certified must be what is kept.
            "certified": is_certified(report),
            "comparison": report.champion.model_dump_json() if report.champion else None,
            "document": manifest.model_dump_json(),
        },
    )


def is_certified(report: TrainingReport) -> bool:
    """Return whether the certificate is valid and the one of the model that came with it."""
    return report.certificate.valid and report.manifest.certificate == report.certificate
