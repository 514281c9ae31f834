import pytest

from grafana.generator.alerts import Condition, condition, conditions, firing, to_spare
from grafana.generator.colours import CLEAR, GREEN, ORANGE, RED

CRASHED = "trainer:nighttrain_trainer_crashes:max"


def test_a_limit_is_the_number_that_the_alert_compares_with():
    assert condition("NighttrainHostMemoryHigh") == Condition(
        "NighttrainHostMemoryHigh", "nighttrain:host_memory_used:ratio", ">", 0.9, True
    )
    assert condition("NighttrainHostDiskWillFill").limit == 0
    assert condition("NighttrainCrashLoop", CRASHED).limit == 3


def test_a_condition_that_is_one_of_several_does_not_suffice():
    assert not condition("NighttrainNoTrainer", "nighttrain:trainers_live:sum").suffices
    assert condition("NighttrainOutOfMemoryKill", "trainer:nighttrain_oom_kills:increase15m").suffices


def test_a_multiple_of_a_series_is_a_limit_of_the_ratio():
    elapsed, expected = (f"cell:nighttrain_running_job_{what}:seconds" for what in ("elapsed", "expected"))
    assert condition("NighttrainJobOverdue", f"{elapsed} / {expected}").limit == 3
    assert condition("NighttrainJobOverdue", elapsed).limit == 300


def test_what_is_watched_may_be_written_in_another_way():
    assert condition("NighttrainMeanAucDropped", "max ( nighttrain_earlier_runs )").limit == 3


def test_every_alert_that_compares_with_a_number_is_understood():
    silent = {"NighttrainNightDidNotStart", "NighttrainCheckpointTooOld"}  # compare series with each other
    found = {one.alert for one in conditions()}
    assert not found & silent
    assert len(found) >= 20


@pytest.mark.parametrize("watched", ["", "nighttrain:host_cpu_used:ratio"])
def test_a_comparison_that_there_is_not_or_not_only_once_is_refused(watched):
    with pytest.raises(ValueError, match="NighttrainQueueStalled"):
        condition("NighttrainQueueStalled", watched)


@pytest.mark.parametrize(
    ("operator", "limit", "is_floor", "whole"),
    [
        (">", 5, False, 6),
        (">", 0.9, False, 1),
        (">=", 3, False, 3),
        ("<", 0, True, 0),
        ("<=", 2, True, 3),
        ("==", 0, True, 1),
        ("==", 1, False, 1),
    ],
)
def test_colours_of_whole_numbers_change_at_a_whole_number(operator, limit, is_floor, whole):
    found = Condition("Alert", "a", operator, limit, True)
    assert (found.is_floor, found.whole) == (is_floor, whole)


def test_red_is_where_the_alert_fires():
    assert firing("NighttrainTrainerLost", clear=CLEAR) == ((None, CLEAR), (120, RED))
    assert firing("NighttrainTooManyFailedJobs", whole=True, warning=1) == (
        (None, GREEN),
        (1, ORANGE),
        (6, RED),
    )
    assert firing("NighttrainHostDiskWillFill") == ((None, RED), (0, GREEN))
    assert firing("NighttrainNoTrainer", "nighttrain:trainers_live:sum", whole=True) == (
        (None, RED),
        (1, GREEN),
    )


def test_what_is_left_is_red_where_the_alert_fires_on_what_is_over():
    assert to_spare("NighttrainNightMissesDeadline") == ((None, RED), (0, GREEN))
    with pytest.raises(ValueError, match="NighttrainTrainerLost"):
        to_spare("NighttrainTrainerLost")
