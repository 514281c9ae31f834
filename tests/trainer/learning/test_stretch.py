import numpy as np
import pytest
from sklearn import metrics

from tests.trainer.learning.formula import said_by
from trainer.learning.design_matrix import CHUNK_ROWS, DesignMatrix
from trainer.learning.logistic_model import LogisticModel
from trainer.learning.stretch import MOST_LOSS, ROUNDED_FROM, Stretch

ROWS, COLUMNS, MODELS = 2 * CHUNK_ROWS + 77, 4, 3


@pytest.fixture
def models():
    draw = np.random.default_rng(2)
    return (
        draw.standard_normal((MODELS, COLUMNS)),
        draw.standard_normal(MODELS),
        draw.standard_normal(COLUMNS),
        draw.random(COLUMNS) + 0.5,
    )


@pytest.fixture
def stretch():
    values = np.random.default_rng(1).standard_normal((ROWS + 40, COLUMNS)).astype(np.float32)
    return Stretch(values, 20, 20 + ROWS)


@pytest.fixture
def row(stretch):
    chosen = np.flatnonzero(np.random.default_rng(3).random(ROWS) < 0.8)
    # The last rows' outcomes come too late.
    return stretch.start + chosen[chosen < ROWS - 5]


def each_of(models):
    coefficients, intercepts, means, scales = models
    for own, intercept in zip(coefficients, intercepts, strict=True):
        yield LogisticModel(means, scales, own, float(intercept))


def test_what_is_said_is_the_formula_of_the_manifest(stretch, models):
    design = DesignMatrix(stretch.values, np.arange(len(stretch.values)))
    for model in each_of(models):
        expected = said_by(model, design, stretch.start, stretch.stop)
        assert stretch.predictions(model) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize(("columns", "count"), [(4, 3), (20, 7), (46, 26)])
def test_the_chosen_model_says_what_it_says_among_all(columns, count):
    # What is resumed asks the chosen one alone.
    for seed in range(5):
        draw = np.random.default_rng([seed, columns])
        stretch = Stretch(draw.standard_normal((200, columns)).astype(np.float32), 20, 180)
        models = (
            draw.standard_normal((count, columns)),
            draw.standard_normal(count),
            draw.standard_normal(columns),
            draw.random(columns) + 0.5,
        )
        for chosen, alone in enumerate(each_of(models)):
            p, _ = stretch.judged(*models, chosen, np.arange(20, 25), np.zeros(5))
            assert p.tobytes() == stretch.predictions(alone).tobytes()


def test_log_losses_are_scikit_learns_of_the_known_rows(stretch, models, row):
    y = np.random.default_rng(4).integers(0, 2, len(row)).astype(float)
    _, losses = stretch.judged(*models, 1, row, y)
    for model, loss in zip(each_of(models), losses, strict=True):
        p = stretch.at(stretch.predictions(model), row)
        assert loss == pytest.approx(metrics.log_loss(y, p), rel=1e-12)


def test_an_outcome_of_neither_counts_as_half_of_each(stretch, models, row):
    y = np.random.default_rng(4).choice([0.0, 0.5, 1.0], len(row))
    _, losses = stretch.judged(*models, 0, row, y)
    _, low = stretch.judged(*models, 0, row, np.floor(y))
    _, high = stretch.judged(*models, 0, row, np.ceil(y))
    assert losses == pytest.approx((low + high) / 2, rel=1e-12)


def test_a_certain_mistake_costs_what_the_nearest_uncertain_one_does(stretch, models):
    coefficients, _, means, scales = models
    row = np.arange(stretch.start, stretch.stop)
    certain = 0.0 * coefficients, np.array([2000.0, -2000.0, 0.0]), means, scales
    with np.errstate(all="raise", under="ignore"):
        _, losses = stretch.judged(*certain, 2, row, np.zeros(ROWS))
    assert losses == pytest.approx([MOST_LOSS, 0.0, np.log(2.0)], abs=1e-12)


def test_where_nothing_is_known_nothing_is_lost(stretch, models):
    p, losses = stretch.judged(*models, 0, np.empty(0, dtype=np.int64), np.empty(0))
    # Exactly, or the strongest penalty of equals would not be chosen.
    assert losses.tolist() == [0.0] * MODELS
    assert len(p) == ROWS


@pytest.mark.parametrize("log_odds", [20.0, 25.0, 30.0, 35.0])
def test_a_mistake_that_is_nearly_certain_is_told_to_the_last_digit(stretch, models, log_odds):
    coefficients, _, means, scales = models
    nearly = 0.0 * coefficients, np.full(MODELS, log_odds), means, scales
    row = np.arange(stretch.start, stretch.stop)
    _, losses = stretch.judged(*nearly, 0, row, np.zeros(ROWS))
    assert losses == pytest.approx(np.full(MODELS, np.logaddexp(0.0, log_odds)), rel=1e-14)


@pytest.mark.parametrize("log_odds", [-400.0, -34.0, 20.0, 34.0, 400.0])
def test_half_of_a_mistake_that_is_nearly_certain_is_told_to_the_last_digit(stretch, models, log_odds):
    coefficients, _, means, scales = models
    nearly = 0.0 * coefficients, np.full(MODELS, log_odds), means, scales
    row = np.arange(stretch.start, stretch.stop)
    _, losses = stretch.judged(*nearly, 0, row, np.full(ROWS, 0.5))
    most = np.logaddexp(0.0, min(abs(log_odds), MOST_LOSS)) / 2
    assert losses == pytest.approx(np.full(MODELS, most + np.logaddexp(0.0, -abs(log_odds)) / 2), rel=1e-14)


def test_nothing_is_less_than_lost(stretch, models, row):
    coefficients, _, means, scales = models
    certain = 0.0 * coefficients, np.full(MODELS, 400.0), means, scales
    for known in (1, 5, len(row)):
        _, losses = stretch.judged(*certain, 0, row[:known], np.ones(known))
        assert losses.tolist() == [0.0] * MODELS


@pytest.mark.parametrize(("strength", "shift"), [(0.02, 0.0), (0.02, 1000.0), (2.0, 0.0)])
def test_losses_of_many_rows_are_rounded_only_where_nothing_shows(strength, shift, monkeypatch):
    draw = np.random.default_rng(5)
    values = (draw.standard_normal((ROUNDED_FROM + 3000, 20)) + shift).astype(np.float32)
    models = (
        strength * draw.standard_normal((3, 20)),
        0.1 * draw.standard_normal(3),
        np.full(20, shift),
        np.ones(20),
    )
    row = np.delete(np.arange(len(values)), slice(500, 2500))
    asked = *models, 1, row, draw.choice([0.0, 0.5, 1.0], len(row))
    said, losses = Stretch(values, 0, len(values)).judged(*asked)
    monkeypatch.setattr("trainer.learning.stretch.ROUNDED_FROM", 10**9)
    exactly_said, exact = Stretch(values, 0, len(values)).judged(*asked)
    assert said.tobytes() == exactly_said.tobytes()
    rounded = strength < 1.0 and shift == 0.0
    assert (losses.tobytes() != exact.tobytes()) == rounded
    assert np.abs(losses - exact).max() < 1e-9
