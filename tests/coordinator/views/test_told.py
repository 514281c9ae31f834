"""What is told of a report, read without its models."""

from __future__ import annotations

from common.protocol.jobs import JobState
from common.protocol.reports import FoldResult, GateScores, Recalibration, TrainingReport
from coordinator.api.openapi import example
from coordinator.store.rows import JobRow
from coordinator.views.jobs import jobs_of, training_report
from coordinator.views.told import Told, ToldFold, told_of
from tests.coordinator.specimens import Night


def jobs(night: Night, run: int) -> list[JobRow]:
    with night.database.read() as tx:
        return jobs_of(tx, run)


def test_it_is_what_the_whole_report_says(night: Night) -> None:
    run = night.begin(symbols=("BTCUSDT",), timeframes=("1h", "1d"), horizons=(1, 3))
    night.survey_all(night.register())
    night.finish_all("t1-boot")
    trained = [job for job in jobs(night, run) if job.state is JobState.SUCCEEDED and job.horizon]
    assert len(trained) == 4
    for job in trained:
        with night.database.read() as tx:
            told, report = told_of(tx, job), training_report(tx, job)
        assert told is not None and report is not None
        for name in set(Told.model_fields) - {"folds"}:
            assert getattr(told, name) == getattr(report, name), name
        assert list(map(FoldResult.of, told.folds)) == list(map(FoldResult.of, report.folds))
        assert set(ToldFold.model_fields) == set(FoldResult.model_fields)


def test_it_reads_all_that_a_report_may_hold() -> None:
    whole = Recalibration(slope=0.9, estimate=0.78, standard_error=0.05, gain=1.0, measured_on=(0,))
    report = TrainingReport.model_validate(example("documents/training_report"))
    report = report.model_copy(
        update={
            "recalibration": whole,
            "folds": tuple(fold.model_copy(update={"recalibration": whole}) for fold in report.folds),
            "gates": GateScores(base_rate_log_loss=0.69, newest_fold=report.folds[0].scores),
        }
    )
    told = Told.model_validate_json(report.model_dump_json(exclude={"manifest"}))
    for name in set(Told.model_fields) - {"folds"}:
        assert getattr(told, name) == getattr(report, name) is not None, name
    assert list(map(FoldResult.of, told.folds)) == list(map(FoldResult.of, report.folds))
    assert told.folds[0].recalibration == whole


def test_of_a_survey_and_of_a_cell_that_is_not_trained_nothing_is_told(night: Night) -> None:
    run = night.begin(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,))
    night.survey_all(night.register())
    with night.database.read() as tx:
        assert [told_of(tx, job) for job in jobs_of(tx, run)] == [None, None]
