"""What the shared PromQL answers, asked of Prometheus' own engine."""

import pytest

from common.metrics.declarations import BREAKER_STATE, CELL_AUC, RUN_STATE
from grafana.generator.queries import (
    Query,
    each_trainer,
    every,
    last_by_run,
    last_of_run,
    numbered,
    of_cells,
    of_run,
    of_symbols,
)
from grafana.generator.vocabulary import UnknownNameError

PROGRESS = "max(nighttrain_run_progress_ratio)"
# Run 1 until minute 9, run 2 from minute 10 to 15, then nothing: the coordinator is away.
SERIES = {
    'nighttrain_run_info{run="1"}': "1x9 stale",
    'nighttrain_run_info{run="2"}': "_x10 1x5 stale",
    "nighttrain_run_progress_ratio": "0.1x9 0.5x5 stale",
    'nighttrain_run_state{state="running"}': "0x15 stale",
    'nighttrain_run_state{state="done"}': "0x9 1x5 stale",
    'nighttrain_run_state{state="cancelled"}': "1x9 0x5 stale",
    'nighttrain_trainer_info{instance="a:1",trainer="t1"}': "1x15",
    'nighttrain_trainer_info{instance="b:1",trainer="t2"}': "1x15",
    'nighttrain_trainer_memory_usage_bytes{instance="a:1",trainer="t1"}': "7x15",
    'nighttrain_trainer_memory_usage_bytes{instance="b:1",trainer="t2"}': "9x15",
}
EVERY, FIRST, SECOND, UNKNOWN = ".*", "1", "2", "7"


@pytest.fixture
def holds(answers):
    """Whether an expression has exactly these samples at a minute, while a run is chosen."""

    def ask(expr, minute, run, samples, **variables):
        return answers(SERIES, expr, minute, samples, run=run, **variables)

    return ask


@pytest.mark.parametrize(
    ("minute", "run", "value"),
    [
        (5, EVERY, 0.1),
        (12, EVERY, 0.5),
        (12, SECOND, 0.5),
        (12, FIRST, 0.1),  # the last that was known of it
        (17, FIRST, 0.1),
        (17, SECOND, 0.5),
        (17, EVERY, None),  # nothing is known now, and nothing old is passed off as new
        (12, UNKNOWN, None),
    ],
)
def test_the_last_of_a_run(holds, minute, run, value):
    assert holds(last_of_run(PROGRESS), minute, run, {} if value is None else {"{}": value})


@pytest.mark.parametrize(
    ("minute", "run", "value"),
    [(5, EVERY, 0.1), (5, FIRST, 0.1), (5, SECOND, None), (12, FIRST, None), (17, EVERY, None)],
)
def test_a_graph_of_a_run_ends_with_it(holds, minute, run, value):
    assert holds(of_run(PROGRESS), minute, run, {} if value is None else {"{}": value})


def test_an_expression_with_operators_keeps_its_meaning(holds):
    assert holds(of_run(f"{PROGRESS} * 0 or {PROGRESS}"), 5, SECOND, {})


def test_runs_side_by_side_have_each_their_own_value(holds):
    assert holds(last_by_run(PROGRESS), 17, EVERY, {'{run="1"}': 0.1, '{run="2"}': 0.5})


def test_runs_side_by_side_survive_that_prometheus_missed_the_change(holds, monkeypatch):
    monkeypatch.setitem(
        SERIES, 'nighttrain_run_info{run="1"}', "1x9"
    )  # no sign of its end: seen until minute 14
    assert holds(last_by_run(PROGRESS), 17, EVERY, {'{run="1"}': 0.1, '{run="2"}': 0.5})


@pytest.mark.parametrize(("minute", "number"), [(5, 2), (12, 1)])
def test_a_set_of_states_becomes_the_number_of_the_state(holds, minute, number):
    assert holds(numbered(RUN_STATE, every), minute, EVERY, {"{}": number})


def test_what_a_trainer_exports_gets_its_name(holds):
    usage = each_trainer("max", "nighttrain_trainer_memory_usage_bytes")
    assert holds(usage, 5, EVERY, {'{trainer="t1"}': 7, '{trainer="t2"}': 9})
    assert holds(usage, 5, EVERY, {'{trainer="t2"}': 9}, trainer="t2")


def test_selectors_say_what_is_chosen_and_what_is_asked_for():
    assert of_cells(CELL_AUC) == (
        'nighttrain_cell_auc_ratio{symbol=~"$symbol",timeframe=~"$timeframe",horizon=~"$horizon"}'
    )
    assert of_symbols(BREAKER_STATE, state="parked") == (
        'nighttrain_breaker_state{symbol=~"$symbol",state="parked"}'
    )


def test_a_query_that_names_what_does_not_exist_cannot_be_made():
    with pytest.raises(UnknownNameError, match="nighttrain_trainer_memory_used_bytes"):
        Query("max(nighttrain_trainer_memory_used_bytes)")
