"""Who guesses tokens waits, and the log speaks of it now and then."""

from __future__ import annotations

import logging

import pytest

from coordinator.credentials.throttle import FREE_FAILURES, KEPT_ADDRESSES, LONGEST_PAUSE_SECONDS, Throttle
from tests.coordinator.specimens import Clock


def test_who_guesses_waits_longer_each_time_and_others_do_not() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    waits = []
    for _ in range(FREE_FAILURES + 3):
        waits.append(throttle.wait_seconds("10.0.0.1"))
        clock.advance(waits[-1])
        assert throttle.failed("10.0.0.1") == 0
    assert waits == [0] * FREE_FAILURES + [2, 4, 8]
    assert throttle.wait_seconds("10.0.0.1") == 16 and throttle.wait_seconds("10.0.0.2") == 0
    clock.advance(16)
    assert throttle.wait_seconds("10.0.0.1") == 0
    throttle.succeeded("10.0.0.1")
    throttle.failed("10.0.0.1")
    assert throttle.wait_seconds("10.0.0.1") == 0


def test_what_comes_too_early_makes_nobody_wait_longer() -> None:
    throttle = Throttle(Clock())
    for _ in range(FREE_FAILURES):
        throttle.failed("10.0.0.1")
    assert [throttle.failed("10.0.0.1") for _ in range(100)] == [2] * 100


def test_a_mistake_of_long_ago_counts_no_longer() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(FREE_FAILURES):
        throttle.failed("10.0.0.1")
    clock.advance(2 * LONGEST_PAUSE_SECONDS + 1)
    throttle.failed("10.0.0.1")
    assert throttle.wait_seconds("10.0.0.1") == 0


def test_addresses_of_one_network_are_one_sender_by_ipv6() -> None:
    throttle = Throttle(Clock())
    for host in range(FREE_FAILURES):
        throttle.failed(f"2001:db8:0:1::{host}")
    assert throttle.wait_seconds("2001:db8:0:1:ffff::9") == 2
    assert throttle.wait_seconds("2001:db8:0:2::9") == 0


def test_so_many_addresses_as_anybody_likes_take_no_memory() -> None:
    throttle = Throttle(Clock())
    for number in range(2 * KEPT_ADDRESSES):
        throttle.failed(f"10.0.{number // 256}.{number % 256}")
    assert len(throttle._failures) == KEPT_ADDRESSES


def test_the_log_speaks_of_wrong_tokens_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    throttle = Throttle(clock)
    with caplog.at_level(logging.WARNING):
        for _ in range(120):
            throttle.failed("10.0.0.1")
            clock.advance(1)
        throttle.failed("\x1b[2Jevil")
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "a wrong token was shown from 10.0.0.1",
        "60 wrong tokens were shown since the last such line, the last from 10.0.0.1",
        "60 wrong tokens were shown since the last such line, the last from an unknown address",
    ]
