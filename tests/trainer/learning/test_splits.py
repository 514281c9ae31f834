from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import DataError
from trainer.learning.splits import Fold, require_trainable, walk_forward

MINUTE = 60_000


def split(close_minutes, horizon, n_splits, embargo):
    close_time = np.array(close_minutes, dtype=np.int64) * MINUTE
    return walk_forward(close_time, close_time + horizon * MINUTE, n_splits, embargo * MINUTE)


def indices(close_minutes, horizon, n_splits, embargo):
    folds = split(close_minutes, horizon, n_splits, embargo)
    return [(list(range(fold.train_stop)), list(range(fold.test_start, fold.test_stop))) for fold in folds]


def test_folds_expand_and_purge_the_rows_whose_labels_end_late():
    # Rows close at minutes 0 to 11, labels end 2 minutes later, the embargo is 1 minute.
    assert indices(range(12), horizon=2, n_splits=3, embargo=1) == [
        ([0], [3, 4, 5]),
        ([0, 1, 2, 3], [6, 7, 8]),
        ([0, 1, 2, 3, 4, 5, 6], [9, 10, 11]),
    ]


def test_a_label_that_ends_exactly_an_embargo_before_the_test_is_trained_on():
    assert indices(range(6), horizon=1, n_splits=2, embargo=0) == [([0, 1], [2, 3]), ([0, 1, 2, 3], [4, 5])]


def test_purging_goes_by_time_where_candles_are_missing():
    # Rows 3 and 4 close at minutes 3 and 20: the gap alone keeps row 3 clear of the test part.
    minutes = [0, 1, 2, 3, 20, 21, 22, 23]
    assert indices(minutes, horizon=2, n_splits=1, embargo=10) == [([0, 1, 2, 3], [4, 5, 6, 7])]
    # After the gap rows are dense again, and the embargo reaches back to before it.
    minutes = [0, 1, 20, 21, 22, 23, 24, 25]
    assert indices(minutes, horizon=1, n_splits=1, embargo=10) == [([0, 1], [4, 5, 6, 7])]


def test_parts_are_equal_but_for_one_row():
    assert [len(test) for _, test in indices(range(20), horizon=1, n_splits=5, embargo=0)] == [3, 4, 3, 3, 4]


def test_too_few_rows_give_empty_parts_and_no_crash():
    assert indices([], horizon=1, n_splits=2, embargo=0) == [([], []), ([], [])]
    assert indices([5], horizon=1, n_splits=2, embargo=0) == [([], []), ([], [0])]


@settings(max_examples=200, deadline=None)
@given(
    minutes=st.sets(st.integers(0, 300), min_size=12).map(sorted),
    horizon=st.integers(1, 9),
    n_splits=st.integers(2, 6),
    embargo=st.integers(0, 30),
)
def test_every_fold_trains_on_all_rows_that_time_allows_and_on_no_other(minutes, horizon, n_splits, embargo):
    splits = indices(minutes, horizon, n_splits, embargo)
    tested = [row for _, test in splits for row in test]
    assert tested == list(range(len(minutes) // (n_splits + 1), len(minutes)))
    for train, test in splits:
        allowed = [
            row for row, minute in enumerate(minutes) if minute + horizon + embargo <= minutes[test[0]]
        ]
        assert train == allowed


@settings(max_examples=200, deadline=None)
@given(
    minutes=st.sets(st.integers(0, 300), min_size=12).map(sorted),
    horizon=st.integers(1, 9),
    n_splits=st.integers(2, 6),
    embargo=st.integers(0, 90),
)
def test_of_tested_rows_those_are_known_whose_labels_end_before_the_next_test(
    minutes, horizon, n_splits, embargo
):
    folds = split(minutes, horizon, n_splits, embargo)
    for fold, after in pairwise(folds):
        tested = minutes[fold.test_start : fold.test_stop]
        known = [each for each in tested if each + horizon + embargo <= minutes[after.test_start]]
        assert minutes[fold.test_start : fold.known_stop] == known and fold.known == len(known)
    assert folds[-1].known_stop == folds[-1].test_stop == len(minutes)


def test_too_few_rows_are_refused_with_figures():
    y = np.tile([0.0, 1.0], 20)
    folds = [Fold(0, 20, 21, 30, 29), Fold(1, 29, 30, 40, 40)]
    require_trainable(folds, y, 20, 9, "BTCUSDT_1d_H1")
    with pytest.raises(
        DataError, match=r"BTCUSDT_1d_H1: fold 1 of 2 has 20 rows to train on, needed are 21 \(40"
    ):
        require_trainable(folds, y, 21, 9, "BTCUSDT_1d_H1")
    with pytest.raises(DataError, match=r"fold 1 of 2 has 9 rows to test on, needed are 10 .*min_test_rows"):
        require_trainable(folds, y, 20, 10, "BTCUSDT_1d_H1")


def test_the_message_blames_gaps_only_where_they_took_the_rows():
    y = np.tile([0.0, 1.0], 30)
    folds = [Fold(0, 10, 30, 60, 60)]
    with pytest.raises(DataError) as error:
        require_trainable(folds, y, 20, 10, "BTCUSDT_1m_H1", lambda: (900, 960))
    assert error.value.detail == (
        "BTCUSDT_1m_H1: fold 1 of 1 has 10 rows to train on, needed are 20 (60 rows in all; gaps in the "
        "candles took 900 of 960)"
    )
    assert "data.missing" in error.value.hint
    with pytest.raises(DataError) as error:
        require_trainable(folds, y, 20, 10, "BTCUSDT_1m_H1", lambda: (6, 66))
    assert error.value.detail.endswith("needed are 20 (60 rows in all)")
    assert "longer span" in error.value.hint


@pytest.mark.parametrize(("value", "word"), [(0.0, "falls"), (1.0, "rises")])
def test_one_class_in_a_training_part_is_refused_in_words(value, word):
    y = np.full(40, value)
    y[35] = 1.0 - value
    with pytest.raises(DataError, match=f"fold 1 of 1 has one class only: the close {word} after all 30"):
        require_trainable([Fold(0, 30, 30, 40, 40)], y, 20, 10, "BTCUSDT_1d_H1")
