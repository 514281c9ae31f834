"""Failures of several jobs are one where only the name of the job differs."""

from __future__ import annotations

import pytest

from coordinator.policy.grouping import common_words


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("it broke", "it broke"),
        ("the survey of ETHUSDT failed: no disk", "no disk"),
        ("ETHUSDT_4h_H3: too few rows", "too few rows"),
        ("ETHUSDT 4h: too few bars", "too few bars"),
        ("BTCUSDT_4h_H3: of another", "BTCUSDT_4h_H3: of another"),
        ("the survey of BTCUSDT failed: of another", "the survey of BTCUSDT failed: of another"),
        ("it broke: ETHUSDT 4h: within", "it broke: ETHUSDT 4h: within"),
    ],
)
def test_only_the_name_of_the_job_itself_is_left_out(message: str, words: str) -> None:
    assert common_words(message, "ETHUSDT", "4h", 3) == words


def test_a_survey_has_a_symbol_only() -> None:
    assert common_words("the survey of ETHUSDT failed: no disk", "ETHUSDT", None, None) == "no disk"
