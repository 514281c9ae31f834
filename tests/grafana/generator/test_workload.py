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


def test_a_parked_symbol_has_the_number_of_its_state(answers):
    series = {
        **RUN,
        'nighttrain_breaker_state{symbol="A",state="closed"}': "0x5",
        'nighttrain_breaker_state{symbol="A",state="parked"}': "1x5",
        'nighttrain_breaker_state{symbol="A",state="probation"}': "0x5",
    }
    assert answers(series, asked("night", "Breakers"), 3, {'{symbol="A"}': 1})


def test_a_symbol_without_a_failed_job_has_no_row(answers):
    series = {
        **RUN,
        'nighttrain_run_failed_jobs{symbol="A",cause="data"}': "2x5",
        'nighttrain_run_failed_jobs{symbol="B",cause="data"}': "0x5",
    }
    expected = {'{symbol="A", cause="data"}': 2}
    assert answers(series, asked("night", "Failed jobs by symbol and cause"), 3, expected)
