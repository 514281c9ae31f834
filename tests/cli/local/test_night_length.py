"""How long a night takes, by its jobs played through."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from cli.local.night_length import Costs, Series, length

COSTS = Costs(
    training=1.0,
    training_row=0.001,
    features_row=0.0005,
    survey=0.5,
    survey_row=0.0001,
    gap=0.0,
    fixed=3.0,
    ratios=(1.0,),
    most_rows=1_000_000,
    trainers=1,
    spread=0.0,
)


def test_without_any_doubt_it_is_the_sum_of_its_jobs() -> None:
    # A survey of 0.5 + 1, the first cell 1 + 10 + 5, two more of 11.
    found = length(COSTS, [Series("A", 10_000, 3)], 1)
    assert (found.p10, found.p50, found.p90) == pytest.approx((3 + 1.5 + 16 + 22,) * 3)


def test_more_trainers_share_the_work_and_no_cell_begins_before_its_survey() -> None:
    grid = [Series("A", 10_000, 2), Series("B", 10_000, 2)]
    certain = replace(COSTS, trainers=8)
    alone, two, eight = (length(certain, grid, trainers).p50 for trainers in (1, 2, 8))
    assert alone == pytest.approx(3 + 2 * (1.5 + 16 + 11))
    assert two == pytest.approx(3 + 1.5 + 16 + 11)
    assert eight == pytest.approx(3 + 1.5 + 16)


def test_further_trainers_slow_each_other() -> None:
    grid = [Series(name, 10_000, 1) for name in "ABCD"]
    assert length(COSTS, grid, 4).p50 > length(replace(COSTS, trainers=4), grid, 4).p50


def test_trainers_that_would_only_slow_the_longest_job_do_not_work() -> None:
    costs = replace(COSTS, trainers=2, spread=0.3, ratios=(0.7, 1.0, 1.4), survey_row=0.1)
    grid = [Series("A", 100_000, 1), *(Series(name, 1_000, 1) for name in "BCD")]
    found = [length(costs, grid, trainers) for trainers in (2, 4, 8, 16)]
    for fewer, more in pairwise(found):
        assert more.p10 <= fewer.p10 and more.p50 <= fewer.p50 and more.p90 <= fewer.p90


def test_spread_and_untried_sizes_widen_it() -> None:
    def width(costs: Costs) -> float:
        found = length(costs, [Series("A", 10_000, 3)], 1)
        assert found.p10 < found.p50 < found.p90
        return found.p90 / found.p10

    narrow, wide = width(replace(COSTS, spread=0.1)), width(replace(COSTS, spread=0.3))
    assert 1.2 < narrow < 1.4 < wide
    assert width(replace(COSTS, spread=0.1, most_rows=500)) > narrow


def test_equal_questions_get_equal_answers() -> None:
    costs = replace(COSTS, spread=0.2, ratios=(0.8, 1.0, 1.3))
    assert length(costs, [Series("A", 10_000, 3)], 2) == length(costs, [Series("A", 10_000, 3)], 2)
