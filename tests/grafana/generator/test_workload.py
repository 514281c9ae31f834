import pytest

from tests.grafana.committed import asked

CELL = '{symbol="BTCUSDT", timeframe="1h", horizon="3"}'
RUN = {'nighttrain_run_info{run="1"}': "1x5"}


def test_a_cell_takes_so_many_times_what_is_expected(answers):
    series = {
        **RUN,
        f"cell:nighttrain_running_job_elapsed:seconds{CELL}": "600x5",
        f"cell:nighttrain_running_job_expected:seconds{CELL}": "150x5",
    }
    assert answers(series, asked("night", "Cells being trained", "factor"), 3, {CELL: 4})


def test_a_cell_is_overdue_where_its_alert_fires_and_not_by_the_factor_alone(answers):
    for elapsed, overdue in ((30, 0), (301, 1)):
        series = {
            **RUN,
            f"cell:nighttrain_running_job_elapsed:seconds{CELL}": f"{elapsed}x5",
            f"cell:nighttrain_running_job_expected:seconds{CELL}": "1x5",
        }
        assert answers(series, asked("night", "Cells being trained", "overdue"), 3, {CELL: overdue})


def test_of_a_run_that_is_over_nothing_is_being_trained(answers):
    series = {
        'nighttrain_run_info{run="1"}': "1x2 stale",
        'nighttrain_run_info{run="2"}': "_x3 1x9",
        f"cell:nighttrain_running_job_elapsed:seconds{CELL}": "60x12",
        'up{job="coordinator"}': "1x12",
    }
    expr = asked("night", "Cells being trained", "elapsed")
    assert answers(series, expr, 9, {CELL: 60}, run="2")
    assert answers(series, f"count by (symbol) ({expr})", 9, {'{symbol="nobody is at work"}': 1}, run="1")


@pytest.mark.parametrize(
    ("up", "words"),
    [("1x9", "nobody is at work"), ("0x9", "unknown: no scrape")],
)
def test_what_is_empty_and_what_is_not_known_are_told_apart(answers, up, words):
    expr = asked("night", "Cells being trained", "elapsed")
    expected = {f'{{symbol="{words}"}}': 1}
    assert answers({'up{job="coordinator"}': up}, f"count by (symbol) ({expr})", 5, expected)


def test_a_parked_symbol_has_the_number_of_its_state(answers):
    series = {
        **RUN,
        'nighttrain_breaker_state{symbol="A",state="closed"}': "0x5",
        'nighttrain_breaker_state{symbol="A",state="parked"}': "1x5",
        'nighttrain_breaker_state{symbol="A",state="probation"}': "0x5",
    }
    assert answers(series, asked("night", "Symbols", "breaker"), 3, {'{symbol="A"}': 1})


def test_a_symbol_without_a_failed_job_has_no_row(answers):
    series = {
        **RUN,
        'nighttrain_run_failed_jobs{symbol="A",cause="data"}': "2x5",
        'nighttrain_run_failed_jobs{symbol="B",cause="data"}': "0x5",
    }
    expected = {'{symbol="A", cause="data"}': 2}
    assert answers(series, asked("night", "Failed jobs by symbol and cause"), 3, expected)
