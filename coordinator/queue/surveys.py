"""What a symbol's survey changes: its cells can be handed out, or end at once.

They end because it refused their candles, or because nothing has changed since they were trained last.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import bindparam, literal_column, select, update

from common.errors import InvalidRequestError
from common.protocol.faults import survey_fault
from common.protocol.jobs import Cause, JobState, SurveySpec, TrainingSpec
from common.protocol.reports import SeriesReport, SurveyReport
from common.settings.grid import GridConfig, grid_of
from common.timeframes import CONTEXT_TIMEFRAMES, Timeframe
from coordinator.queue.reuse import UNTRAINED, forced, reuse
from coordinator.queue.stretches import QUEUED, TRAINING
from coordinator.queue.transitions import end_queued
from coordinator.store.database import Transaction
from coordinator.store.documents import read_document
from coordinator.store.prepared import Prepared
from coordinator.store.rows import JOBS, JobRow
from coordinator.store.tables import jobs, reports, runs, symbols

SURVEYS_KEPT = 32
"""So many reports are kept as they were read last: all cells of a symbol ask for the same one."""

_REPORT = reports.insert()
_SYMBOL = update(symbols).where(symbols.c.run_id == bindparam("run"), symbols.c.symbol == bindparam("of"))
_JOBS = (
    update(jobs)
    .where(jobs.c.run_id == bindparam("run"), jobs.c.symbol == bindparam("of"))
    .values(volume=bindparam("traded"))
)
_RUN = select(runs.c.config, runs.c.retrain).where(runs.c.id == bindparam("run"))
_CELLS = (
    JOBS.where(jobs.c.run_id == bindparam("run"), jobs.c.symbol == bindparam("of"), QUEUED, TRAINING)
    .order_by(jobs.c.id)
    .with_for_update()
)
_SURVEY = Prepared(
    select(reports.c.document)
    .join_from(jobs, reports, reports.c.job_id == jobs.c.id)
    .where(jobs.c.run_id == bindparam("run"), jobs.c.symbol == bindparam("of"))
    .where(jobs.c.kind == literal_column("'survey'"))
)
_CELL = (
    update(jobs)
    .where(jobs.c.id == bindparam("this"))
    .values(
        rows=bindparam("found_rows"),
        spec=bindparam("training"),
        again=bindparam("why"),
        waiting_since=bindparam("now"),
        changed=bindparam("now"),
    )
)


@dataclass(frozen=True)
class Surveyed:
    """What a survey made of its cells, as they were before.

    They were refused, ended with an earlier run's result, or are to be trained again, for a reason in words.
    """

    refused: tuple[JobRow, ...] = ()
    reused: tuple[JobRow, ...] = ()
    again: tuple[tuple[JobRow, str], ...] = ()


def survey_spec(config: GridConfig, symbol: str) -> SurveySpec:
    """Return what a symbol's survey has to do: the grid's timeframes and the context's, fine to coarse."""
    wanted = {*config.timeframes, *CONTEXT_TIMEFRAMES}
    ordered = tuple(timeframe for timeframe in Timeframe if timeframe in wanted)
    return SurveySpec(symbol=symbol, timeframes=ordered, policy=config.data)


def apply(tx: Transaction, survey: JobRow, report: SurveyReport) -> Surveyed:
    """Store a survey's report, open the cells that must be trained, and end the others.

    Raises
    ------
    InvalidRequestError
        The report is about another symbol, or contradicts itself or the specification.
    """
    if report.symbol != survey.symbol:
        raise InvalidRequestError(f"a report about {report.symbol} cannot end the {survey.name}")
    assert survey.spec is not None
    if fault := survey_fault(report, SurveySpec.model_validate_json(survey.spec)):
        raise InvalidRequestError(f"the {survey.name}: {fault}")
    connection = tx.connection
    this = {"run": survey.run_id, "of": survey.symbol}
    connection.execute(_REPORT, {"job_id": survey.id, "document": report.model_dump_json()})
    connection.execute(_SYMBOL, {**this, "quote_volume": report.quote_volume_per_day})
    connection.execute(_JOBS, {**this, "traded": report.quote_volume_per_day})
    if report.synthetic:
        connection.execute(update(runs).where(runs.c.id == survey.run_id).values(synthetic=True))
    run = connection.execute(_RUN, {"run": survey.run_id}).one()
    config = grid_of(run.config)
    series = {one.timeframe: one for one in report.series}
    refused, reused, again, opened = [], [], [], []
    for row in connection.execute(_CELLS, this).all():
        job = JobRow.of(row)
        refusal = _refusal(job, series)
        if refusal:
            end_queued(tx, job, JobState.FAILED, Cause.DATA, refusal)
            refused.append(job)
        else:
            spec = _training_spec(job, config, series, report.synthetic)
            rows = series[job.cell.timeframe].rows
            differs = forced(tx, job) if run.retrain else reuse(tx, job, rows, spec, report.program)
            if not differs:
                reused.append(job)
                continue
            why = "" if differs == UNTRAINED else differs
            if why:
                again.append((job, why))
            given = {"this": job.id, "found_rows": rows, "training": spec.model_dump_json()}
            opened.append({**given, "why": why, "now": tx.now})
    if opened:
        connection.execute(_CELL, opened)
    return Surveyed(tuple(refused), tuple(reused), tuple(again))


def series_of(tx: Transaction, job: JobRow) -> SeriesReport | None:
    """Return what the survey says of the candles of a training job; None if that cannot be read."""
    document = _SURVEY.on(tx.connection, {"run": job.run_id, "of": job.symbol}).scalar()
    report = _read(document, job.symbol)
    series = report.series if report else ()
    return next((one for one in series if one.timeframe == job.timeframe), None)


@lru_cache(maxsize=SURVEYS_KEPT)
def _read(document: str | None, symbol: str) -> SurveyReport | None:
    return read_document(SurveyReport, document, f"the report of the survey of {symbol}")


def _refusal(job: JobRow, series: dict[Timeframe, SeriesReport]) -> str:
    found = series.get(job.cell.timeframe)
    if found is None:
        return f"the survey of {job.symbol} says nothing about {job.timeframe} candles"
    if found.refusal:
        return found.refusal
    return "" if found.digest else f"{job.symbol} has no {job.timeframe} candles"


def _training_spec(
    job: JobRow, config: GridConfig, series: dict[Timeframe, SeriesReport], synthetic: bool
) -> TrainingSpec:
    digests = {
        timeframe: series[timeframe].digest
        for timeframe in (job.cell.timeframe, *job.cell.timeframe.context)
        if timeframe in series and not series[timeframe].refusal and series[timeframe].digest
    }
    return TrainingSpec(
        cell=job.cell,
        label=config.label,
        n_splits=config.n_splits,
        embargo_minutes=config.embargo_minutes,
        Cs=config.model.C,
        min_train_rows=config.model.min_train_rows,
        min_test_rows=config.model.min_test_rows,
        data_digests=digests,
        synthetic=synthetic,
        policy=config.data,
    )
