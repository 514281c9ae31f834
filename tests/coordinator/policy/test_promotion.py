from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.protocol.reports import ChampionComparison, Check
from common.settings.sections import PromoteIf
from coordinator.policy.promotion import Challenger, Champion, Decision, decide, false_discovery_bound
from tests.coordinator.specimens import scores

GATE = PromoteIf()
REAL = Champion("c" * 64, False, "features/1", scores(auc=0.55))
LEAK = Check(
    name="scaler",
    passed=False,
    checked=6,
    detail="fold 1: means are not those of the 915 rows that it may know",
)


def challenger(job_id: int = 1, **changes: Any) -> Challenger:
    good = Challenger(job_id, scores(), 0.001, True, False, "features/1", None)
    return replace(good, **changes)


def compared(ours: float, theirs: float, champion: str = REAL.sha256) -> ChampionComparison:
    return ChampionComparison(
        champion=champion,
        rows_compared=1234,
        scores=scores(log_loss=theirs),
        challenger_scores=scores(log_loss=ours),
        detail="",
    )


def decision(one: Challenger, champion: Champion | None = None) -> Decision:
    [made] = decide([one], {one.job_id: champion} if champion else {}, GATE, 0.10)
    assert made.promoted == (not made.reasons) == (not made.refused_by)
    return made


def test_a_good_model_without_a_champion_is_promoted() -> None:
    assert decision(challenger()) == Decision(1, ())


@pytest.mark.parametrize(
    ("changes", "missed", "reason"),
    [
        (
            {"certified": False},
            "certificate",
            "the certificate is not valid: it has no checks, or is of a model",
        ),
        (
            {"certified": False, "failed_checks": (LEAK,)},
            "certificate",
            "the certificate is not valid: check scaler: fold 1: means are not those of the 915 rows",
        ),
        ({"scores": scores(auc=0.512)}, "auc", "AUC 0.512 is below 0.52"),
        ({"scores": scores(auc=0.51999)}, "auc", "AUC 0.51999 is below 0.52"),
        ({"scores": scores(auc=None)}, "auc", "AUC is unknown: only one class was seen"),
        ({"scores": scores(brier=0.27)}, "brier", "Brier score 0.270 is above 0.26"),
        ({"scores": scores(accuracy=0.49)}, "accuracy", "accuracy 0.490 is below 0.5"),
        (
            {"p_value": 0.2},
            "significance",
            "p-value 0.2 does not pass a false discovery rate of 0.1 over 1 cells",
        ),
    ],
)
def test_each_gate_refuses_by_name_and_in_words(changes: dict[str, Any], missed: str, reason: str) -> None:
    made = decision(challenger(**changes))
    [told] = made.reasons
    assert reason in told and made.refused_by == (missed,)


def test_scores_on_the_threshold_pass() -> None:
    assert decision(challenger(scores=scores(auc=0.52, brier=0.26, accuracy=0.50))).promoted


def test_all_reasons_are_told_at_once() -> None:
    assert len(decision(challenger(certified=False, scores=scores(auc=0.5), p_value=1.0)).reasons) == 3


# --- False discovery rate -----------------------------------------------------------------------------------


def test_the_bound_is_that_of_the_textbook() -> None:
    # The example of Benjamini and Hochberg (1995), table 1: at 0.05 the four smallest of 15 are discoveries.
    p_values = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
    p_values += [0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000]
    assert false_discovery_bound(p_values, 0.05) == 0.0095


@given(st.lists(st.floats(0, 1), max_size=30), st.floats(0.01, 0.5))
def test_the_step_up_procedure_agrees_with_its_definition(p_values: list[float], rate: float) -> None:
    ordered = sorted(p_values)
    bound = false_discovery_bound(p_values, rate)
    largest = max(
        (k for k in range(1, len(ordered) + 1) if ordered[k - 1] <= k / len(ordered) * rate), default=0
    )
    assert bound == (ordered[largest - 1] if largest else 0.0)


def test_the_rate_is_kept_over_the_whole_run() -> None:
    lucky = challenger(1, p_value=0.04)
    crowd = [challenger(job_id, p_value=0.5) for job_id in range(2, 30)]
    assert decide([lucky], {}, GATE, 0.10)[0].promoted
    assert not decide([lucky, *crowd], {}, GATE, 0.10)[0].promoted


# --- The champion -------------------------------------------------------------------------------------------


def test_a_model_as_good_as_the_champion_on_the_same_rows_is_promoted() -> None:
    assert decision(challenger(comparison=compared(0.68, 0.68)), REAL).promoted


def test_a_model_worse_than_the_champion_is_not() -> None:
    [reason] = decision(challenger(comparison=compared(0.69, 0.68)), REAL).reasons
    assert reason == "log loss 0.690 is above the champion's 0.680 on the same 1234 rows"


@pytest.mark.parametrize(
    ("comparison", "reason"),
    [
        (None, "not compared with the present champion"),
        (compared(0.6, 0.7, champion="d" * 64), "no longer the champion"),
    ],
)
def test_without_a_comparison_with_this_champion_there_is_no_promotion(
    comparison: ChampionComparison | None, reason: str
) -> None:
    [told] = decision(challenger(comparison=comparison), REAL).reasons
    assert reason in told


def test_a_champion_of_other_features_is_replaced_only_by_a_higher_auc_than_its_own() -> None:
    other = replace(REAL, feature_version="features/0")
    assert decision(challenger(scores=scores(auc=0.551)), other).promoted
    [reason] = decision(challenger(scores=scores(auc=0.55)), other).reasons
    assert "reads other features (features/0, not features/1)" in reason
    assert "AUC 0.550 is not above the champion's recorded 0.550" in reason


def test_a_champion_that_no_row_can_be_shared_with_does_not_stand_for_ever() -> None:
    other_columns = ChampionComparison(
        champion=REAL.sha256,
        rows_compared=0,
        scores=None,
        challenger_scores=None,
        detail="the champion has other columns",
    )
    assert decision(challenger(scores=scores(auc=0.551), comparison=other_columns), REAL).promoted
    [reason] = decision(challenger(scores=scores(auc=0.55), comparison=other_columns), REAL).reasons
    assert "the champion has other columns; AUC 0.550 is not above" in reason


def test_real_always_replaces_synthetic_and_synthetic_never_replaces_real() -> None:
    synthetic = replace(REAL, synthetic=True)
    assert decision(challenger(), synthetic).promoted
    [reason] = decision(challenger(synthetic=True, comparison=compared(0.1, 0.7)), REAL).reasons
    assert "synthetic" in reason
    assert decision(challenger(synthetic=True, comparison=compared(0.6, 0.7)), synthetic).promoted
    assert not decision(challenger(synthetic=True, comparison=compared(0.7, 0.6)), synthetic).promoted


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.4, 0.7), st.booleans()), min_size=1, max_size=20))
def test_a_smaller_p_value_never_hurts(cells: list[tuple[float, float, bool]]) -> None:
    ranked = sorted(cells)
    made = decide(
        [
            challenger(index, p_value=p, scores=scores(auc=auc), certified=certified)
            for index, (p, auc, certified) in enumerate(ranked)
        ],
        {},
        GATE,
        0.10,
    )
    passes = [not any("p-value" in reason for reason in one.reasons) for one in made]
    assert all(earlier or not later for earlier, later in pairwise(passes))


# --- What was missed, by its name ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "champion", "missed"),
    [
        ({"certified": False}, None, ["certificate"]),
        ({"scores": scores(auc=None)}, None, ["auc"]),
        ({"scores": scores(auc=0.5, brier=0.27, accuracy=0.4)}, None, ["auc", "brier", "accuracy"]),
        ({"p_value": 1.0}, None, ["significance"]),
        ({"comparison": None}, REAL, ["champion"]),
        ({}, None, []),
    ],
)
def test_a_refused_model_names_what_it_missed(
    changes: dict[str, Any], champion: Champion | None, missed: list[str]
) -> None:
    assert list(decision(challenger(**changes), champion).refused_by) == missed
