import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trainer.learning.log_sums import FACTORS, SMALLEST, summed_logs


@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 3), st.integers(0, 5 * FACTORS)),
        elements=st.floats(SMALLEST, 1 / SMALLEST),
    )
)
def test_sums_of_logarithms_are_those_of_each(values):
    assert summed_logs(values) == pytest.approx(np.log(values).sum(axis=-1), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("extreme", [SMALLEST, 1 / SMALLEST])
def test_the_least_and_the_largest_of_all_lose_nothing(extreme):
    values = np.full(10 * FACTORS + 3, extreme)
    assert float(summed_logs(values)) == pytest.approx(len(values) * np.log(extreme), rel=1e-14)


def test_part_of_a_larger_array_is_summed_alone():
    room = np.full((2, 100), 7.0)
    room[:, :50] = 2.0
    assert summed_logs(room[:, :50]) == pytest.approx([50 * np.log(2.0)] * 2)
