import math

import numpy as np
import pytest

from trainer.learning.design_matrix import CHUNK_ROWS, DesignMatrix
from trainer.learning.logistic_model import LogisticModel, probabilities


@pytest.fixture
def design():
    values = np.random.default_rng(0).standard_normal((CHUNK_ROWS + 50, 3)).astype(np.float32)
    return DesignMatrix(values, np.arange(len(values)))


def test_a_prediction_is_the_formula_of_the_manifest(design):
    model = LogisticModel.of([0.5, -1.0, 2.0], [2.0, 0.5, 1.0], [0.3, -0.7, 1.1], 0.2)
    found = model.predict(design, 10, len(design))
    for position in (0, 100, CHUNK_ROWS, len(found) - 1):
        x = design.values[position + 10].astype(float)
        terms = [
            c * (v - m) / s for c, v, m, s in zip((0.3, -0.7, 1.1), x, (0.5, -1, 2), (2, 0.5, 1), strict=True)
        ]
        assert found[position] == pytest.approx(1 / (1 + math.exp(-(0.2 + sum(terms)))), abs=1e-14)


def test_extreme_log_odds_are_certainties_without_warnings(design):
    steep = LogisticModel.of([0, 0, 0], [1, 1, 1], [0, 0, 0], -2000.0)
    assert not steep.predict(design, 0, 5).any()
    steep = LogisticModel.of([0, 0, 0], [1, 1, 1], [0, 0, 0], 2000.0)
    assert (steep.predict(design, 0, 5) == 1.0).all()


def test_many_models_predict_what_each_predicts_alone(design):
    draw = np.random.default_rng(1)
    coefficients, intercepts = draw.standard_normal((4, 3)), draw.standard_normal(4)
    means, scales = draw.standard_normal(3), draw.uniform(0.5, 2, 3)
    together = probabilities(coefficients, intercepts, means, scales, design, 0, len(design))
    for position in range(4):
        alone = LogisticModel(means, scales, coefficients[position], float(intercepts[position]))
        assert together[position] == pytest.approx(alone.predict(design, 0, len(design)), abs=1e-14)
