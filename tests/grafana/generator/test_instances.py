"""Whether what several coordinators would make wrong is found, and that no board has it."""

import pytest

from grafana.generator.expressions import expressions
from grafana.generator.instances import doubled, undercounted
from grafana.generator.queries import Query

JOBS = "nighttrain_run_jobs"


@pytest.mark.parametrize(
    "expr",
    [
        f"sum({JOBS})",
        f"sum by (state) ({JOBS})",
        JOBS,
        f"avg by (state) ({JOBS})",
        f"count({JOBS})",
        f"max by (state, instance) ({JOBS})",
        f"max without (kind) ({JOBS})",
        f"max(sum by (state) ({JOBS}))",
        "sum(rate(nighttrain_claims_total[5m]))",
        "histogram_quantile(0.5, sum by (le) (nighttrain_job_duration_seconds_bucket))",
        f"max({JOBS}) and on () sum({JOBS}) > 1",
        f'max({JOBS}{{state="queued"}} / on (kind) {JOBS}{{state="leased"}})',
        "max(nighttrain_run_paused * on () group_right () nighttrain_run_info)",
        "last_over_time((sum(nighttrain_queue_jobs) > 0)[1h:1m])",
        "sum(nighttrain_artifacts_unsent)",
    ],
)
def test_what_counts_once_for_each_coordinator_is_found(expr):
    assert doubled(expr)
    with pytest.raises(ValueError, match="once for each coordinator"):
        Query(expr)


@pytest.mark.parametrize(
    "expr",
    [
        f"sum(max by (kind, state) ({JOBS}))",
        f"max without (instance, pod, container, endpoint, node) ({JOBS})",
        "max(rate(nighttrain_claims_total[5m]))",
        f"max({JOBS}) and on () {JOBS} > 1",
        f"max by (state) ({JOBS} + ignoring (kind) {JOBS})",
        "max(nighttrain_cell_auc_ratio - on () group_left () max(nighttrain_promotion_limit_ratio))",
        "min by (trainer) (time() - nighttrain_trainer_last_seen_timestamp_seconds)",
        "sum(nighttrain:queue_jobs:sum)",
        "sum(nighttrain_trainer_cpus)",
    ],
)
def test_what_counts_once_is_let_be(expr):
    assert doubled(expr) == []


@pytest.mark.parametrize(
    ("expr", "is_wrong"),
    [
        ("sum(rate(nighttrain_renewals_total[5m]))", False),
        ("max(rate(nighttrain_renewals_total[5m]))", True),
        ("rate(nighttrain_renewals_total[5m])", True),
        ("sum(max by (route) (nighttrain_http_request_duration_seconds_count))", True),
        ("max(sum(rate(nighttrain_stale_writes_total[5m])))", False),
        ("max(nighttrain_coordinator_leads)", False),
    ],
)
def test_what_takes_one_coordinators_count_for_that_of_all_is_found(expr, is_wrong):
    assert bool(undercounted(expr)) is is_wrong


def test_no_board_counts_twice_or_leaves_out_what_another_coordinator_says():
    asked = expressions()
    assert len(asked) > 150
    # Of a variable Grafana takes each value once.
    shown = [one for one in asked if not one.place.startswith("variable ")]
    assert [f"{one.board}, {one.place}" for one in shown if doubled(one.expr) or undercounted(one.expr)] == []
