from tests.grafana.committed import asked

TABLE = "Runs of the last 30 days"
# Run 1 until minute 4, run 2 from minute 5 on: its first job fails, then two more.
SERIES = {
    'nighttrain_run_info{run="1"}': "1x4 stale",
    'nighttrain_run_info{run="2"}': "_x5 1x5",
    'nighttrain_run_failed_jobs{symbol="BTCUSDT",cause="oom"}': "0x4 1x2 3x2",
    "nighttrain_run_started_timestamp_seconds": "60x4 300x5",
}


def test_each_run_has_the_last_that_was_known_of_it(answers):
    failed = {'{run="1"}': 0, '{run="2"}': 3}
    assert answers(SERIES, asked("models", TABLE, "failed"), 9, failed)


def test_moments_are_in_milliseconds_as_links_want_them(answers):
    began = {'{run="1"}': 60_000, '{run="2"}': 300_000}
    assert answers(SERIES, asked("models", TABLE, "began"), 9, began)


def test_a_run_lasts_until_the_next_is_current(answers):
    until = {'{run="1"}': 240_000, '{run="2"}': 540_000}
    assert answers(SERIES, asked("models", TABLE, "until"), 9, until)
