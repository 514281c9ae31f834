from datetime import UTC, datetime

import numpy as np
import pytest

from tests.trainer.learning.formula import said_by
from trainer.features.matrix import open_features
from trainer.learning.crossval import CrossValidation
from trainer.learning.fold_reports import fit_of, fold_model, fold_report
from trainer.learning.training_set import TrainingSet

HOUR_MS = 3_600_000
CS = (0.01, 1.0)


@pytest.fixture(scope="module")
def data(simulate, coarser, tmp_path_factory):
    hours = simulate(24 * 60, missing=[900, 901])
    whole = simulate(24 * 60)
    context = [coarser(whole, "4h").until(60), coarser(whole, "1d")]
    matrix = open_features(tmp_path_factory.mktemp("features"), hours, context)
    return TrainingSet.of(hours, context, matrix, 3, 4, 2 * HOUR_MS)


def test_only_the_context_that_the_matrix_reads_is_kept(data):
    assert tuple(candles.timeframe for candles in data.context) == data.matrix.contexts
    assert data.matrix.contexts == ("1d",)


def test_labels_design_and_bars_are_of_the_same_rows(data):
    assert len(data) == len(data.design) == len(data.bar) == len(data.labels.y)
    assert (data.candles.close_time[data.bar] == data.labels.close_time).all()
    rise = data.candles.close[data.bar + data.horizon] > data.candles.close[data.bar]
    assert (rise == (data.labels.y > 0.5)).all()


def test_the_folds_test_all_rows_from_the_first_tested_one_and_keep_the_embargo(data):
    assert data.first_test_row == data.folds[0].test_start
    assert sum(fold.test_stop - fold.test_start for fold in data.folds) == len(data) - data.first_test_row
    for fold in data.folds:
        ended = data.labels.end[fold.train_stop - 1]
        assert ended + data.embargo_ms <= data.labels.close_time[fold.test_start]
        assert data.labels.end[fold.train_stop] + data.embargo_ms > data.labels.close_time[fold.test_start]


def test_each_tie_after_the_first_test_row_is_of_one_fold(simulate, tmp_path):
    hours = simulate(24 * 60)
    hours.close[::5] = hours.close[1::5]
    matrix = open_features(tmp_path, hours, [])
    data = TrainingSet.of(hours, [], matrix, 1, 4, HOUR_MS)
    parts = [data.ties_of(fold) for fold in data.folds]
    first = data.labels.row[data.first_test_row]
    assert np.concatenate(parts).tolist() == [row for row in data.labels.tie if row > first]
    for fold, part in zip(data.folds, parts, strict=True):
        assert len(part)
        assert part.min() > data.labels.row[fold.test_start]
        if fold.test_stop < len(data):
            assert part.max() < data.labels.row[fold.test_stop]


def test_a_span_goes_from_the_first_opening_to_the_last_close(data):
    span = data.span(5, 8)
    assert span.start == datetime.fromtimestamp(data.candles.open_time[data.bar[5]] / 1000, UTC)
    assert span.end == datetime.fromtimestamp(data.candles.close_time[data.bar[7]] / 1000, UTC)


def test_a_fold_that_was_reported_comes_back_digit_for_digit(data):
    fit = CrossValidation(data.design, data.labels.y, data.folds, CS).fit_next()
    p = said_by(fit.model, data.design, fit.fold.test_start, fit.fold.test_stop)
    report = fold_report(fit, p, data, CS)
    again = fit_of(type(report).model_validate_json(report.model_dump_json()), data.folds[0], CS)
    assert (again.fold, again.choice, again.chosen_from) == (fit.fold, fit.choice, fit.chosen_from)
    assert again.log_losses == fit.log_losses
    for name in ("means", "scales", "coefficients", "intercepts"):
        assert np.array_equal(getattr(again.path, name), getattr(fit.path, name)), name
    kept = fold_model(report, CS)
    assert kept.coefficients == tuple(fit.model.coefficients.tolist())
    assert kept.intercept == fit.model.intercept
    assert kept.trained_until == report.last_train_label_end
