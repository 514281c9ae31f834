import pytest

from common.protocol.job_views import RefusalReason
from common.protocol.reports import GateScores, Scores
from coordinator.policy.gates import missed_gates


def scores(**changes):
    whole = {"auc": 0.55, "brier": 0.248, "accuracy": 0.53, "log_loss": 0.69, "base_rate": 0.5, "n": 400}
    return Scores(**{**whole, **changes})


def gates(constant=0.693, **newest):
    return GateScores(base_rate_log_loss=constant, newest_fold=scores(**newest))


def test_a_model_that_knows_more_than_the_past_and_knows_it_still_passes():
    assert missed_gates(scores(), gates()) == []


@pytest.mark.parametrize("log_loss", [0.693, 0.6931])
def test_a_log_loss_that_is_not_below_the_base_rate_s_is_refused(log_loss):
    [(reason, words)] = missed_gates(scores(log_loss=log_loss), gates())
    assert reason is RefusalReason.BASE_RATE
    assert words == (
        f"log loss {log_loss:.6f} is not below the 0.693000 of always saying the share of rises that was "
        "known before"
    )


@pytest.mark.parametrize("auc", [0.5, 0.487])
def test_a_newest_fold_that_is_not_above_chance_is_refused(auc):
    [(reason, words)] = missed_gates(scores(), gates(auc=auc))
    assert reason is RefusalReason.NEWEST_FOLD
    assert words == f"AUC {auc:.4f} in the newest fold (400 rows) is not above 0.5"


def test_a_newest_fold_of_one_class_is_refused():
    [(reason, words)] = missed_gates(scores(), gates(auc=None))
    assert reason is RefusalReason.NEWEST_FOLD and "one class" in words


def test_both_gates_can_be_missed():
    assert [reason for reason, _ in missed_gates(scores(log_loss=0.7), gates(auc=0.4))] == [
        RefusalReason.BASE_RATE,
        RefusalReason.NEWEST_FOLD,
    ]


def test_a_model_of_a_version_that_measured_neither_is_not_judged_by_them():
    assert missed_gates(scores(log_loss=0.9), None) == []
