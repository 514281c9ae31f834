import math

import numpy as np
import pytest

from tests.trainer.learning.formula import said_by
from trainer.learning.design_matrix import DesignMatrix
from trainer.learning.logistic_model import LogisticModel, logistic, unstandardised


@pytest.fixture
def design():
    values = np.random.default_rng(0).standard_normal((500, 3)).astype(np.float32)
    return DesignMatrix(values, np.arange(len(values)))


def probabilities(coefficients, intercepts, means, scales, values):
    weights, offsets = unstandardised(coefficients, intercepts, means, scales)
    return logistic(weights, offsets, values, np.empty((len(weights), len(values))))


def test_a_prediction_is_the_formula_of_the_manifest(design):
    numbers = (0.5, -1.0, 2.0), (2.0, 0.5, 1.0), (0.3, -0.7, 1.1)
    model = LogisticModel.of(*numbers, 0.2)
    values = design.values.astype(np.float64)
    folded = probabilities(
        model.coefficients[None, :], np.array([model.intercept]), model.means, model.scales, values
    )
    for found in (folded[0], said_by(model, design, 0, len(design))):
        for position in (0, 100, len(found) - 1):
            terms = [c * (x - m) / s for x, m, s, c in zip(values[position], *numbers, strict=True)]
            assert found[position] == pytest.approx(1 / (1 + math.exp(-(0.2 + sum(terms)))), abs=1e-14)


@pytest.mark.parametrize(("log_odds", "certainty"), [(-2000.0, 0.0), (2000.0, 1.0)])
def test_extreme_log_odds_are_certainties_without_warnings(design, log_odds, certainty):
    ones = np.ones(3)
    found = probabilities(np.zeros((1, 3)), np.array([log_odds]), 0 * ones, ones, design.values.astype(float))
    assert (found == certainty).all()


def test_many_models_predict_what_each_predicts_alone(design):
    draw = np.random.default_rng(1)
    coefficients, intercepts = draw.standard_normal((4, 3)), draw.standard_normal(4)
    means, scales = draw.standard_normal(3), draw.uniform(0.5, 2, 3)
    together = probabilities(coefficients, intercepts, means, scales, design.values.astype(np.float64))
    for position in range(4):
        alone = LogisticModel(means, scales, coefficients[position], float(intercepts[position]))
        assert together[position] == pytest.approx(said_by(alone, design, 0, len(design)), abs=1e-14)
