import pytest

from tests.grafana.committed import asked

CELL = 'symbol="BTCUSDT",timeframe="1h",horizon='
SERIES = {
    'nighttrain_run_info{run="1"}': "1x5",
    'nighttrain_promotion_limit_ratio{score="auc"}': "0.5x5",
    'nighttrain_promotion_limit_ratio{score="brier"}': "0.25x5",
    f'nighttrain_cell_auc_ratio{{{CELL}"1"}}': "0.75x5",
    f'nighttrain_cell_auc_ratio{{{CELL}"3"}}': "0.25x5",
    f'nighttrain_cell_brier_ratio{{{CELL}"1"}}': "0.125x5",
    f'nighttrain_cell_brier_ratio{{{CELL}"3"}}': "0.5x5",
}


@pytest.mark.parametrize(
    ("title", "best", "other"),
    [("AUC above its limit", 0.25, -0.25), ("Brier score below its limit", 0.125, -0.25)],
)
def test_a_distance_is_above_zero_where_the_limit_is_met(answers, title, best, other):
    cell = '{symbol="BTCUSDT", timeframe="1h"}'
    assert answers(SERIES, asked("models", title), 3, {cell: best})
    assert answers(SERIES, asked("models", title), 3, {cell: best}, horizon="1")
    assert answers(SERIES, asked("models", title), 3, {cell: other}, horizon="3")


def test_the_mean_of_an_earlier_run_is_met_or_missed_by_its_last_value_and_not_by_both(answers):
    series = {
        'nighttrain_run_info{run="1"}': "1x5 stale",
        'nighttrain_run_info{run="2"}': "_x6 1x5",
        "nighttrain:cell_auc_ratio:avg": "0.75x2 0.25x9",
        'nighttrain_promotion_limit_ratio{score="auc"}': "0.5x12",
    }
    for run in ("1", ".*"):
        assert answers(series, asked("models", "Mean AUC", "met"), 9, {}, run=run)
        assert answers(series, asked("models", "Mean AUC", "missed"), 9, {"{}": 0.25}, run=run)


def test_the_table_has_the_distances_of_every_cell(answers):
    expected = {f'{{{CELL}"1"}}': 0.125, f'{{{CELL}"3"}}': -0.25}
    assert answers(SERIES, asked("models", "Cells", "brier_margin"), 3, expected)
