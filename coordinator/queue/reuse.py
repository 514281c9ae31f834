"""Results of earlier runs that are taken over, since to train again would give the same to the last digit.

A result depends on the specification of its job, in which the digests of all its candles are, and on the
program. Where both are those of the last time that a cell was trained, it need not be trained again. Only
what was found out about its champion may differ: tonight's may be another one than then.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, bindparam, func, literal_column, select

from common.protocol.faults import model_fault
from common.protocol.jobs import Cell, TrainingSpec
from common.protocol.reports import Manifest, TrainingReport
from coordinator.champions.registry import champion_manifest
from coordinator.queue.checkpoints import discard_checkpoint
from coordinator.queue.trainings import is_certified, store_training
from coordinator.queue.transitions import take_over
from coordinator.store.database import Transaction
from coordinator.store.documents import read_document
from coordinator.store.prepared import Prepared
from coordinator.store.rows import JobRow
from coordinator.store.tables import jobs, manifests, reports

UNTRAINED = "it was never trained"

_TRAINED_BY = jobs.alias("trained_by")
_LAST = Prepared(
    select(jobs.c.id, jobs.c.spec, jobs.c.program, _TRAINED_BY.c.id.label("origin"), _TRAINED_BY.c.run_id)
    .join_from(jobs, _TRAINED_BY, _TRAINED_BY.c.id == func.coalesce(jobs.c.reused_from, jobs.c.id))
    .where(jobs.c.symbol == bindparam("symbol"), jobs.c.timeframe == bindparam("timeframe"))
    .where(jobs.c.horizon == bindparam("horizon"), jobs.c.state == literal_column("'succeeded'"))
    .order_by(jobs.c.id.desc())
    .limit(1)
)
_RESULT = Prepared(
    select(
        reports.c.document, manifests.c.document.label("manifest"), jobs.c.auc, jobs.c.p_value, jobs.c.scores
    )
    .join_from(jobs, reports, reports.c.job_id == jobs.c.id)
    .join(manifests, manifests.c.job_id == jobs.c.id)
    .where(jobs.c.id == bindparam("job"))
)


def reuse(tx: Transaction, job: JobRow, rows: int, spec: TrainingSpec, program: str) -> str:
    """End a queued cell with the result of the last time that it was trained, if that would be the same now.

    Parameters
    ----------
    job : JobRow
        A training job, locked.
    rows : int
        Bars of its series.
    spec : TrainingSpec
        What it has to do.
    program : str
        SHA-256 of the program that would train it; empty if that is not known.

    Returns
    -------
    str
        Why it must be trained; empty: it has ended.
    """
    last = _LAST.on(tx.connection, job.cell.model_dump(mode="json")).first()
    if last is None:
        return UNTRAINED
    document = spec.model_dump_json()
    if last.spec != document:
        return _difference(last.spec, spec)
    if not program or last.program != program:
        return "the program is another one"
    found = _RESULT.on(tx.connection, {"job": last.id}).first()
    report = None if found is None else _read(found, job.cell)
    if found is None or report is None:
        return "its last result cannot be relied on"
    told = _of_tonight(tx, report, spec.synthetic)
    if told is None:
        return "it was not compared with the present champion"
    store_training(tx, job.id, told)
    discard_checkpoint(tx, job.id)
    take_over(
        tx,
        job,
        f"reused from night {last.run_id}: candles, settings and program are the same",
        reused_from=last.origin,
        reused_run=last.run_id,
        program=program,
        spec=document,
        rows=rows,
        auc=found.auc,
        p_value=found.p_value,
        scores=found.scores,
    )
    return ""


def forced(tx: Transaction, job: JobRow) -> str:
    """Return why a cell is trained in a night that reuses nothing, as `reuse` does."""
    known = _LAST.on(tx.connection, job.cell.model_dump(mode="json")).first()
    return UNTRAINED if known is None else "as --retrain asks for"


def _difference(former: str | None, spec: TrainingSpec) -> str:
    before = read_document(TrainingSpec, former, f"the last specification of {spec.cell.name}")
    candles = {"data_digests": spec.data_digests, "synthetic": spec.synthetic}
    same = before is not None and before.model_copy(update=candles) == spec
    return "its candles are others" if same else "its settings are others"


def _read(found: Row[Any], cell: Cell) -> TrainingReport | None:
    """Return a result that can be relied on; None if to train again is better."""
    manifest = read_document(Manifest, found.manifest, f"the last model of {cell.name}")
    if manifest is None or model_fault(manifest):
        return None
    # The manifest is kept apart from the report.
    document = f'{{"manifest": {found.manifest}, {found.document.lstrip().removeprefix("{")}'
    report = read_document(TrainingReport, document, f"the last report of {cell.name}")
    return report if report is not None and is_certified(report) else None


def _of_tonight(tx: Transaction, report: TrainingReport, synthetic: bool) -> TrainingReport | None:
    """Return a report with what holds of tonight's champion; None if that one must be compared first."""
    champion = champion_manifest(tx.connection, report.cell, synthetic)
    if champion is None or champion.pickle_sha256 == report.manifest.pickle_sha256:
        return report.model_copy(update={"champion": None})
    compared = report.champion.champion if report.champion else ""
    return report if compared == champion.pickle_sha256 else None
