"""Intervals of scores."""

from __future__ import annotations

import pytest
from scipy.stats import t

from common.protocol.curves import NullDistribution
from coordinator.policy.confidence import interval_of, student_quantile


@pytest.mark.parametrize("share", [0.9, 0.975, 0.995])
@pytest.mark.parametrize("freedom", [1, 2, 2.5, 3, 4, 6.7, 20, 400, 1e6])
def test_the_quantile_is_students(share: float, freedom: float) -> None:
    assert student_quantile(share, freedom) == pytest.approx(t.ppf(share, freedom), rel=1e-4)


def test_between_one_and_two_degrees_of_freedom_it_is_wider_than_students() -> None:
    assert student_quantile(0.975, 1.5) > t.ppf(0.975, 1.5)


def test_an_interval_lies_around_the_score_and_within_what_an_auc_can_be() -> None:
    null = NullDistribution(observed=0.54, center=0.501, standard_error=0.01, freedom=1e6)
    assert interval_of(null) == pytest.approx((0.5204, 0.5596), abs=1e-4)
    wide = null.model_copy(update={"standard_error": 0.4})
    assert interval_of(wide) == (0.0, 1.0)
