import pytest

from common.metrics.declarations import METRICS
from grafana.generator.vocabulary import UnknownNameError, check, declared_in


@pytest.mark.parametrize("name", [series for metric in METRICS.values() for series in metric.series])
def test_every_declared_series_may_be_asked_for(name):
    check(f"max({name})")


@pytest.mark.parametrize(
    ("expr", "said"),
    [
        ("max(nighttrain_run_progres_ratio)", "nighttrain_run_progres_ratio is not exported"),
        ("rate(nighttrain_http_request_duration_seconds[5m])", "is not exported"),
        ('nighttrain_cell_auc_ratio{smybol="X"}', "has no label 'smybol'"),
        ('nighttrain_run_jobs{state="leaste"}', "state is never 'leaste'"),
        ("sum by (trainer) (nighttrain_cell_auc_ratio)", "nothing in this expression has a label 'trainer'"),
        ("vector(1)", "no metric is named"),
        ('{job="trainer"}', "is not exported"),
    ],
)
def test_what_nobody_exports_is_refused(expr, said):
    with pytest.raises(UnknownNameError, match=said):
        check(expr)


def test_a_pattern_or_a_variable_may_match_what_it_likes():
    check('nighttrain_run_jobs{state=~"leased|queued"} and on () nighttrain_run_jobs{state="$state"}')


def test_recorded_series_lead_to_what_they_are_made_of():
    found = set(declared_in("nighttrain:host_memory_used:ratio"))
    assert found == {"nighttrain_host_memory_available_bytes", "nighttrain_host_memory_size_bytes"}


def test_recorded_series_lead_through_each_other():
    assert set(declared_in("nighttrain:host_disk_free_at_night_end:bytes")) >= {
        "nighttrain_host_disk_free_bytes",
        "nighttrain_night_deadline_timestamp_seconds",
    }
