import dataclasses

import numpy as np
import pytest

from tests.trainer.learning.formula import said_by
from trainer.learning.column_moments import Moments
from trainer.learning.crossval import CrossValidation, choose
from trainer.learning.design_matrix import DesignMatrix
from trainer.learning.logistic_path import fit_path
from trainer.learning.scores import log_loss
from trainer.learning.splits import walk_forward

CS = (0.001, 0.01, 0.1, 1.0)


@pytest.fixture(scope="module")
def rows():
    draw = np.random.default_rng(5)
    X = draw.standard_normal((9000, 12)).astype(np.float32)
    y = (draw.random(9000) < 1 / (1 + np.exp(-0.2 * X[:, 0] + 0.1 * X[:, 1]))).astype(float)
    times = np.arange(9000)
    return DesignMatrix(X, times), y, walk_forward(times, times + 3, 4, 5)


def finished(rows):
    crossval = CrossValidation(*rows, CS)
    fits = [crossval.fit_next() for _ in rows[2]]
    return crossval, fits


def test_each_fold_is_fitted_on_its_training_rows_only(rows):
    design, y, folds = rows
    _, fits = finished(rows)
    for fit, fold in zip(fits, folds, strict=True):
        moments = Moments(design, y)
        moments.extend(fold.train_stop)
        alone = fit_path(moments, CS)
        assert fit.path.coefficients == pytest.approx(alone.coefficients, abs=1e-6)
        assert fit.path.means == pytest.approx(design.values[: fold.train_stop].astype(float).mean(axis=0))


def test_test_and_purged_rows_change_nothing_in_their_fold(rows):
    design, y, folds = rows
    _, fits = finished(rows)
    values, labels = design.values.copy(), y.copy()
    values[folds[1].train_stop :] = 7.0
    labels[folds[1].train_stop :] = 0.0
    other = CrossValidation(DesignMatrix(values, design.row), labels, folds, CS)
    for fit in fits[:2]:
        again = other.fit_next()
        assert again.path.coefficients.tobytes() == fit.path.coefficients.tobytes()


def test_log_losses_are_those_of_the_test_rows_that_the_next_fold_may_know(rows):
    design, y, _ = rows
    _, fits = finished(rows)
    for fit in fits:
        part = slice(fit.fold.test_start, fit.fold.known_stop)
        for position, loss in enumerate(fit.log_losses):
            p = said_by(fit.path.model(position), design, part.start, part.stop)
            assert loss == pytest.approx(log_loss(p, y[part]), abs=1e-14)


def test_each_choice_knows_the_folds_before_it_only(rows):
    _, fits = finished(rows)
    assert fits[0].choice == len(CS) // 2
    for index, fit in enumerate(fits):
        assert fit.chosen_from == tuple(range(index))
        if index:
            totals = np.sum([earlier.log_losses for earlier in fits[:index]], axis=0)
            assert fit.choice == int(totals.argmin())


def test_the_final_model_is_fitted_on_all_rows_with_the_best_c_of_all_folds(rows):
    design, y, _ = rows
    crossval, fits = finished(rows)
    choice, model = crossval.final()
    assert choice == int(np.sum([fit.log_losses for fit in fits], axis=0).argmin())
    moments = Moments(design, y)
    moments.extend(len(design))
    alone = fit_path(moments, CS[choice : choice + 1]).model(0)
    assert model.coefficients == pytest.approx(alone.coefficients, abs=1e-6)


@pytest.mark.parametrize("done", [0, 1, 2, 3, 4])
def test_a_resumed_run_gives_the_same_digits(rows, done):
    crossval, fits = finished(rows)
    resumed = CrossValidation(*rows, CS, fits[:done])
    for fit in fits[done:]:
        again = resumed.fit_next()
        assert again.path.coefficients.tobytes() == fit.path.coefficients.tobytes()
        assert again.path.intercepts.tobytes() == fit.path.intercepts.tobytes()
        assert again.log_losses == fit.log_losses
    assert resumed.final()[1].coefficients.tobytes() == crossval.final()[1].coefficients.tobytes()


def test_a_resumed_run_begins_where_the_last_finished_fold_ended(rows):
    _, fits = finished(rows)
    path = dataclasses.replace(fits[1].path, coefficients=fits[1].path.coefficients + 3.0)
    misled = CrossValidation(*rows, CS, [fits[0], dataclasses.replace(fits[1], path=path)]).fit_next()
    assert misled.path.coefficients.tobytes() != fits[2].path.coefficients.tobytes()
    assert misled.path.coefficients == pytest.approx(fits[2].path.coefficients, abs=1e-6)


def test_equal_losses_choose_the_strongest_regularisation():
    assert choose([(0.6, 0.5, 0.5), (0.5, 0.6, 0.6)], 3) == 0
    assert choose([(0.7, 0.5, 0.5)], 3) == 1
    assert choose([], 5) == 2
