"""What nobody needs candles for to see that it is wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from common.protocol.faults import checkpoint_fault, model_fault, report_fault, survey_fault
from common.protocol.jobs import Cell, SurveySpec, TrainingSpec
from common.protocol.reports import Certificate, Edge, FoldReport, GateScores, TrainingReport
from common.settings.night import NightSettings
from tests.coordinator.specimens import BARS, SPAN, checkpoint, fold, survey_report, training_report

SPEC = TrainingSpec(
    cell=Cell(symbol="BTCUSDT", timeframe="1h", horizon=1),
    n_splits=5,
    embargo_minutes=30,
    Cs=(1e-6, 1e-5, 1e-4, 1e-3, 0.01),
    min_train_rows=100,
    min_test_rows=40,
    data_digests={},
    synthetic=False,
)
REPORT, _ = training_report(SPEC)
MODEL = REPORT.manifest


def with_fold(place: int, **changes: Any) -> TrainingReport:
    folds = list(REPORT.folds)
    folds[place] = folds[place].model_copy(update=changes)
    return REPORT.model_copy(update={"folds": tuple(folds)})


def with_manifest(**changes: Any) -> TrainingReport:
    return REPORT.model_copy(update={"manifest": MODEL.model_copy(update=changes)})


def in_both(**changes: Any) -> TrainingReport:
    return with_manifest(**changes).model_copy(update=changes)


def edge(**changes: Any) -> Edge:
    content = {
        "rows": 10_100, "tenth_rows": 1000, "high_bp": 1.0, "low_bp": -1.0, "edge_bp": 1.0,
        "standard_error_bp": 0.5, "costs_bp": SPEC.label.costs_bp, "beyond_costs_share": 0.5,
    }  # fmt: skip
    return Edge.model_validate({**content, **changes})


def test_a_whole_result_has_no_fault() -> None:
    assert report_fault(REPORT, SPEC, BARS["1h"], SPAN) == ""
    assert report_fault(in_both(edge=edge()), SPEC, None, None) == ""


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (REPORT.model_copy(update={"p_value": 0.5}), "differ in p_value"),
        (REPORT.model_copy(update={"scores": REPORT.folds[0].scores}), "differ in scores"),
        (with_manifest(embargo_minutes=0), "embargo are not those"),
        (with_manifest(C=0.5), "C = 0.5 is none"),
        (with_manifest(trained_rows=7), "12000 rows are told, 7 were trained on"),
        (with_manifest(trained_span=SPAN.model_copy(update={"end": SPAN.end + timedelta(1)})), "survey"),
        (with_manifest(fold_models=MODEL.fold_models[1:]), "4 models of folds, there are 5"),
        (
            with_manifest(fold_models=(MODEL.fold_models[0],) * 5),
            "model of fold 2 is not the one that was tested",
        ),
        (with_manifest(means=(0.0,)), "other lengths"),
        (with_fold(1, index=3), "fold 2 says that it is fold 4"),
        (with_fold(2, coefficients=((0.1, 0.2),)), "fold 3 is not of the 5 C"),
        (with_fold(2, C=0.5), "fold 3 is not of the 5 C"),
        (with_fold(0, means=(0.0,)), "fold 1 has means, scales or coefficients of other lengths"),
        (with_fold(1, C_chosen_from=(0, 4)), "not before it"),
        (with_fold(0, train_rows=99), "fewer rows"),
        (with_fold(4, test_rows=1999), "scores of 2000 rows, but 1999"),
        (with_fold(3, last_train_label_end=SPAN.end), "within the embargo"),
        (with_fold(3, train_rows=3000), "not one after the other"),
        (with_fold(2, train_rows=6001), "fold 3 is longer or shorter than 12000 rows make it"),
        (REPORT.model_copy(update={"folds": REPORT.folds[:4]}), "4 folds, the specification has 5"),
        (in_both(edge=edge(rows=9_999)), "edge is not of the rows"),
        (in_both(edge=edge(costs_bp=SPEC.label.costs_bp + 1)), "other costs"),
        (
            in_both(gates=GateScores(base_rate_log_loss=0.7, newest_fold=REPORT.folds[0].scores.model_copy(
                update={"brier": 0.1}))),
            "newest fold",
        ),
        (in_both(certificate=Certificate(checks=MODEL.certificate.checks * 2)), "a check twice"),
    ],
)  # fmt: skip
def test_a_result_that_contradicts_itself_or_what_was_asked_for_is_found(
    report: TrainingReport, words: str
) -> None:
    assert words in report_fault(report, SPEC, BARS["1h"], SPAN)


def test_no_more_rows_are_believed_than_the_survey_has_bars() -> None:
    assert "the survey has 11999" in report_fault(REPORT, SPEC, 11_999, SPAN)


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.model_copy(update={"scales": (1.0,)}),
        lambda one: one.model_copy(update={"trained_until": SPAN.end + timedelta(9)}),
    ],
)
def test_a_model_whose_parts_do_not_fit_is_malformed(change: Callable[[Any], Any]) -> None:
    assert model_fault(MODEL) == ""
    first, *rest = MODEL.fold_models
    assert model_fault(MODEL.model_copy(update={"fold_models": (change(first), *rest)}))


def test_a_checkpoint_of_another_specification_is_malformed() -> None:
    assert checkpoint_fault(checkpoint(), SPEC) == ""
    assert "it has 6 folds" in checkpoint_fault(
        checkpoint(5).model_copy(update={"folds": (*checkpoint(5).folds, fold(4))}), SPEC
    )
    assert "3 C of the specification" in checkpoint_fault(
        checkpoint(), SPEC.model_copy(update={"Cs": (0.1, 0.2, 0.3)})
    )
    swapped: tuple[FoldReport, ...] = checkpoint().folds[::-1]
    assert "fold 1 says that it is fold 2" in checkpoint_fault(
        checkpoint().model_copy(update={"folds": swapped}), SPEC
    )


def test_a_survey_of_other_timeframes_or_of_more_bars_than_time_is_found() -> None:
    spec = SurveySpec(symbol="BTCUSDT", timeframes=("1h", "4h"), policy=NightSettings().data.policy)
    report = survey_report(spec)
    assert survey_fault(report, spec) == ""
    assert "timeframes" in survey_fault(report, spec.model_copy(update={"timeframes": ("1h",)}))
    many = report.series[0].model_copy(update={"rows": 20_000})
    changed = report.model_copy(update={"series": (many, report.series[1])})
    assert "20000 bars are more than their time has" in survey_fault(changed, spec)
    none = report.series[0].model_copy(update={"rows": 0})
    assert "a time without rows" in survey_fault(
        report.model_copy(update={"series": (none, report.series[1])}), spec
    )
