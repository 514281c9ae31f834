import numpy as np
import pytest

from trainer.features.products import BLOCK_ROWS, Products
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


@pytest.mark.parametrize("labelled", [1.0, 0.9, 0.3])
def test_moments_from_the_products_of_all_rows_are_those_of_the_labelled_ones(labelled):
    draw = np.random.default_rng(3)
    X = (draw.standard_normal((2 * BLOCK_ROWS + 3000, 4)) * [1, 2, 0.1, 1] + [0, 7, -3, 0]).astype(np.float32)
    row = np.flatnonzero(draw.random(len(X)) < labelled)
    y = draw.choice([0.0, 0.5, 1.0], len(row))
    alone, by_others = (
        Moments(DesignMatrix(X, row), y),
        Moments(DesignMatrix(X, row, Products.computed(X)), y),
    )
    for stop in (100, len(row) // 2, len(row) // 2, len(row) - 7):
        alone.extend(stop)
        by_others.extend(stop)
        assert by_others.rows == stop
        assert by_others.base_rate == pytest.approx(alone.base_rate, rel=1e-12)
        for ours, theirs in zip(by_others.standardisation(), alone.standardisation(), strict=True):
            assert ours == pytest.approx(theirs, rel=1e-10, abs=1e-12)
        _, scales, correlation = alone.standardisation()
        ours, theirs = (each.with_labels(scales, correlation) for each in (by_others, alone))
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("labelled", [0.9, 0.3])
def test_the_size_of_a_row_is_the_third_power_of_its_length_and_no_other_rows_matter(labelled):
    draw = np.random.default_rng(6)
    X = draw.standard_normal((BLOCK_ROWS + 5, 7)).astype(np.float32)
    row = np.flatnonzero(draw.random(len(X)) < labelled)

    def sizes(X, stops):
        moments = Moments(DesignMatrix(X, row, Products.computed(X)), np.zeros(len(row)))
        assert not len(moments.sizes)
        for stop in stops:
            moments.extend(stop)
            assert len(moments.sizes) == stop
        return moments.sizes

    found = sizes(X, (1000, 1003, len(row)))
    assert found == pytest.approx(np.linalg.norm(X[row].astype(float), axis=1) ** 3, rel=1e-5)
    # Whatever they are taken in with, before and beside them.
    assert sizes(X, (17, 17, 2017)).tobytes() == found[:2017].tobytes()
    X[row[:1000]] *= 4.0
    assert sizes(X, (len(row),))[1000:].tobytes() == found[1000:].tobytes()
