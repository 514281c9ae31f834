from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.protocol.jobs import Cause
from common.settings.sections import Retry
from coordinator.policy.retry import backoff_seconds, retry_wait_seconds


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


def test_a_job_is_tried_again_until_the_budget_of_its_cause_is_spent() -> None:
    rule = Retry(error=3, crash=2, backoff_base=2.0, backoff_cap=3.0)
    waits = [retry_wait_seconds(Cause.ERROR, {Cause.ERROR: spent}, rule, Random(1)) for spent in range(4)]
    assert [wait is None for wait in waits] == [False, False, True, True]
    assert retry_wait_seconds(Cause.CRASH, {Cause.ERROR: 2}, rule, Random(1)) is not None
    assert retry_wait_seconds(Cause.DATA, {}, rule, Random(1)) is None


def test_the_waits_grow_with_the_failures_of_all_causes() -> None:
    rule = Retry(error=9, crash=9, backoff_base=2.0, backoff_cap=300.0)
    spent = {Cause.ERROR: 2, Cause.CRASH: 3}
    wait = retry_wait_seconds(Cause.TIMEOUT, spent, rule, Random(1))
    assert wait == backoff_seconds(6, 2.0, 300.0, Random(1))
