import numpy as np
import pytest

from trainer.learning.column_moments import Moments
from trainer.learning.design_matrix import DesignMatrix


def test_sums_with_the_labels_are_those_of_the_standardised_columns():
    draw = np.random.default_rng(2)
    X = (draw.standard_normal((5000, 6)) * 3 + 7).astype(np.float32)
    X[:, 4] = 1.5
    y = draw.choice([0.0, 0.5, 1.0], 5000)
    moments = Moments(DesignMatrix(X, np.arange(5000)), y)
    moments.extend(1000)
    moments.extend(4000)
    _, scales, correlation = moments.standardisation()
    columns = np.delete(X[:4000].astype(float), 4, axis=1)
    standardised = (columns - columns.mean(0)) / columns.std(0)
    found = moments.with_labels(scales, correlation)
    assert found[0] == pytest.approx((y[:4000] - 0.5).sum())
    assert np.delete(found[1:], 4) == pytest.approx(standardised.T @ (y[:4000] - 0.5), rel=1e-9)
    assert found[5] == 0.0
    assert moments.base_rate == pytest.approx(y[:4000].mean())
