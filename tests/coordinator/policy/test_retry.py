from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.policy.retry import backoff_seconds


@given(st.integers(1, 2000), st.floats(0.1, 10), st.floats(0.1, 1000), st.integers())
def test_the_wait_stays_within_the_exponential_bound_and_the_cap(
    failures: int, base: float, cap: float, seed: int
) -> None:
    wait = backoff_seconds(failures, base, cap, Random(seed))
    assert 0 <= wait <= cap
    if failures <= 64:
        assert wait <= base * 2 ** (failures - 1)


def test_the_jitter_is_full() -> None:
    random = Random(3)
    waits = [backoff_seconds(3, 2.0, 300.0, random) for _ in range(2000)]
    assert min(waits) < 0.1 and max(waits) > 7.9
    assert 3.7 < sum(waits) / len(waits) < 4.3


def test_there_is_no_wait_before_the_first_failure() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        backoff_seconds(0, 2.0, 300.0, Random(1))
