import numpy as np
import pytest

from tests.trainer.learning.formula import said_by
from trainer.compiled.predictions import log_odds, probabilities
from trainer.learning.design_matrix import DesignMatrix
from trainer.learning.logistic_model import LogisticModel
from trainer.learning.recalibration import (
    LEAST,
    Forecast,
    Overconfidence,
    best_slope,
    newton_step,
    recalibrations,
    rescaled,
)
from trainer.learning.scores import log_loss


def forecast(seed, rows=20_000, spread=0.5, intercept=0.1, stretched=1.0):
    """What a model says whose features are known to add so much, `stretched` times what is true."""
    draw = np.random.default_rng(seed)
    true = intercept + spread * draw.standard_normal(rows)
    y = (draw.random(rows) < probabilities(true)).astype(float)
    return Forecast.of(probabilities(intercept + stretched * (true - intercept)), y, intercept)


def total(folds):
    return sum((Overconfidence.of(each, 1) for each in folds), Overconfidence())


@pytest.mark.parametrize("stretched", [0.5, 1.0, 1.6, 4.0])
def test_the_slope_of_stretched_log_odds_is_recovered(stretched):
    folds = [forecast(seed, stretched=stretched) for seed in range(4)]
    error = Overconfidence.of(forecast(9, rows=80_000, stretched=stretched), 1).standard_error
    assert best_slope(folds, total(folds)) == pytest.approx(1 / stretched, abs=4 * error)


@pytest.mark.parametrize("stretched", [1.6, 4.0])
def test_predictions_that_are_too_sure_are_drawn_once_that_has_helped(stretched):
    folds = [forecast(seed, stretched=stretched) for seed in range(5)]
    found = recalibrations(folds, 1)
    assert [one.slope == 1.0 for one in found] == [True, True, False, False, False, False]
    assert [one.measured_on for one in found] == [tuple(range(known)) for known in range(6)]
    for fold, one in zip(folds[2:], found[2:], strict=False):
        assert one.slope == pytest.approx(1 / stretched, rel=0.1)
        assert log_loss(fold.drawn(one.slope), fold.y) < log_loss(fold.p, fold.y)


def test_calibrated_predictions_are_seldom_touched_and_then_hardly_changed():
    used, worse = 0, []
    for seed in range(200):
        folds = [forecast([seed, fold], rows=1000, spread=0.2) for fold in range(5)]
        found = recalibrations(folds, 1)
        used += found[-1].slope != 1.0
        losses = [
            log_loss(fold.drawn(one.slope), fold.y) - log_loss(fold.p, fold.y)
            for fold, one in zip(folds, found, strict=False)
        ]
        worse.append(np.mean(losses))
    assert used <= 16  # 5 % of them are too sure beyond doubt by luck, and fewer have gained by it
    assert np.mean(worse) < 5e-5  # of the 5e-3 that these predictions are worth


def test_predictions_that_are_not_sure_enough_are_left_as_they_are():
    found = recalibrations([forecast(seed, stretched=0.5) for seed in range(5)], 1)
    assert [one.slope for one in found] == [1.0] * 6
    assert found[-1].estimate > 1.5


def test_predictions_that_are_wrong_keep_their_order():
    folds = [forecast(seed, stretched=-1.0) for seed in range(5)]
    found = recalibrations(folds, 1)
    assert found[-1].slope == LEAST
    drawn = folds[4].drawn(LEAST)
    assert (np.argsort(drawn) == np.argsort(folds[4].p)).all()
    assert drawn.std() < 0.2 * folds[4].p.std()


def test_a_fold_is_recalibrated_by_the_folds_before_it_only():
    folds = [forecast(seed, rows=3000, stretched=2.0) for seed in range(5)]
    found = recalibrations(folds, 3)
    for later in range(5):
        other = [*folds[:later], *(forecast(seed + 100, rows=3000) for seed in range(later, 5))]
        assert recalibrations(other, 3)[: later + 1] == found[: later + 1]
        assert recalibrations(other, 3)[later + 1 :] != found[later + 1 :]


def test_the_log_loss_is_level_at_the_slope_and_convex_around_it():
    folds = [forecast(seed, stretched=2.0) for seed in range(3)]
    slope = best_slope(folds, total(folds))
    loss = [
        sum(log_loss(one.drawn(at), one.y) for one in folds) for at in (slope - 0.02, slope, slope + 0.02)
    ]
    assert loss[1] < min(loss[0], loss[2])
    assert abs(newton_step(folds, slope)) < 1e-9
    assert newton_step(folds, slope + 0.1) < 0 < newton_step(folds, slope - 0.1)


def test_labels_that_overlap_do_not_count_as_more_evidence():
    one = forecast(3, rows=5000, stretched=1.3)
    repeated = Forecast.of(np.repeat(one.p, 10), np.repeat(one.y, 10), one.intercept)
    apart, overlapping = Overconfidence.of(one, 1), Overconfidence.of(repeated, 10)
    assert overlapping.estimate == pytest.approx(apart.estimate)
    assert overlapping.standard_error == pytest.approx(apart.standard_error, rel=0.2)


def test_models_that_say_one_thing_of_all_rows_have_no_slope():
    constant = Forecast.of(
        np.full(100, 0.6), np.arange(100) % 2.0, float(log_odds(np.array([0.6]), 1e-16)[0])
    )
    found = recalibrations([constant, constant], 1)
    assert [(one.slope, one.estimate, one.measured_on) for one in found] == [(1.0, None, ())] * 3


def test_certain_predictions_can_be_drawn():
    sure = Forecast.of(np.array([0.0, 1.0, 0.5]), np.array([0.0, 1.0, 1.0]), 0.0)
    drawn = sure.drawn(0.5)
    assert np.isfinite(drawn).all() and 0 < drawn[0] < 1e-6 and drawn[2] == 0.5


def test_a_rescaled_model_says_what_its_drawn_predictions_say():
    draw = np.random.default_rng(5)
    X = draw.standard_normal((50, 3)).astype(np.float32)
    model = LogisticModel.of((0.1, 0.2, 0.3), (1.0, 2.0, 0.5), (0.3, -0.4, 0.2), 0.15)
    design = DesignMatrix(X, np.arange(50))
    p = said_by(model, design, 0, 50)
    drawn = Forecast.of(p, p, model.intercept).drawn(0.7)
    assert said_by(rescaled(model, 0.7), design, 0, 50) == pytest.approx(drawn, abs=1e-14)
    back = rescaled(rescaled(model, 0.7), 1 / 0.7)
    assert back.coefficients == pytest.approx(model.coefficients, rel=1e-15)
