"""What is drawn of out-of-fold predictions."""

import numpy as np
import pytest
from scipy.stats import t as student
from sklearn.metrics import roc_curve

from trainer.compiled.predictions import midranks
from trainer.evidence.curves import BINS, ROC_POINTS, curves
from trainer.evidence.significance import rank_sum
from trainer.learning.scores import Ordered, area_under_curve


@pytest.fixture(scope="module")
def predictions():
    draw = np.random.default_rng(5)
    y = (draw.random(6000) < 0.45).astype(float)
    p = np.clip(0.47 + 0.03 * (y - 0.45) + 0.05 * draw.standard_normal(6000), 0.01, 0.99)
    return p, y


def test_the_roc_curve_lies_on_that_of_scikit_learn(predictions):
    p, y = predictions
    found = curves(Ordered.of(p, y), None).roc
    false, true, _ = roc_curve(y, p)
    assert 20 <= len(found) <= ROC_POINTS
    at = [point.false_positive_ratio for point in found]
    assert at == sorted(at) and (found[-1].false_positive_ratio, found[-1].true_positive_ratio) == (1.0, 1.0)
    expected = np.interp(at, false, true)
    # The first threshold is the highest prediction, where the curve rises straight up.
    assert [point.true_positive_ratio for point in found[1:]] == pytest.approx(
        expected[1:].tolist(), abs=2e-3
    )
    area = np.trapezoid([0, *(point.true_positive_ratio for point in found)], [0, *at])
    assert area == pytest.approx(area_under_curve(midranks(p), y), abs=2e-3)


def test_bins_hold_all_rows_about_equally_and_tell_what_came_true(predictions):
    p, y = predictions
    found = curves(Ordered.of(p, y), None).reliability
    assert len(found) == BINS and sum(one.rows for one in found) == len(y)
    assert max(one.rows for one in found) <= 1.01 * min(one.rows for one in found)
    lowest = p < np.quantile(p, 0.1)
    assert found[0].predicted == pytest.approx(p[lowest].mean(), abs=1e-4)
    assert found[0].observed == pytest.approx(y[lowest].mean(), abs=1e-3)
    assert sum(one.observed * one.rows for one in found) == pytest.approx(y.sum(), abs=0.5)


def test_the_null_distribution_gives_the_p_value_and_the_auc(predictions):
    p, y = predictions
    test = rank_sum(p, y, 3)
    null = curves(Ordered.of(p, y), test).null
    assert null.observed == pytest.approx(area_under_curve(midranks(p), y), abs=1e-5)
    beyond = student.sf((null.observed - null.center) / null.standard_error, null.freedom)
    assert np.log(beyond) == pytest.approx(np.log(test.p_value), rel=0.02)


def test_predictions_that_are_all_equal_or_of_one_class_draw_what_there_is():
    y = np.array([0.0, 1.0] * 50)
    flat = curves(Ordered.of(np.full(100, 0.4), y), rank_sum(np.full(100, 0.4), y, 1))
    assert flat.null is None and len(flat.roc) == 1 and [one.rows for one in flat.reliability] == [100]
    rising = curves(Ordered.of(np.linspace(0, 1, 100), np.ones(100)), None)
    assert rising.roc == () and {one.observed for one in rising.reliability} == {1.0}


def test_the_curves_of_a_report_take_less_than_four_kilobytes(predictions):
    p, y = predictions
    assert len(curves(Ordered.of(p, y), rank_sum(p, y, 3)).model_dump_json()) < 4096
