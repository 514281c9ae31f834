"""How much of its time a series covers."""

import numpy as np
import pytest

from trainer.survey.coverage import PARTS, coverage

HOUR = 3_600_000


def hours(*present):
    return np.array(present, dtype=np.int64) * HOUR


def test_a_whole_series_is_covered_everywhere_in_no_more_parts_than_it_has_bars():
    assert coverage(hours(5, 6, 7), HOUR) == (1.0, 1.0, 1.0)
    assert coverage(hours(*range(1000)), HOUR) == (1.0,) * PARTS
    assert coverage(hours(), HOUR) == ()


def test_a_gap_is_seen_where_it_lies():
    there = [hour for hour in range(960) if not 100 <= hour < 125]
    found = coverage(hours(*there), HOUR)
    assert found[:10] == (1.0,) * 10 and found[10:12] == (0.0, 0.0)
    assert found[12] == 0.5 and set(found[13:]) == {1.0}


def test_one_missing_bar_of_many_is_not_rounded_away():
    there = np.delete(np.arange(96 * 20_000), 30_000)
    found = coverage(there * HOUR, HOUR)
    assert found[1] == pytest.approx(0.999) and found[0] == found[2] == 1.0
