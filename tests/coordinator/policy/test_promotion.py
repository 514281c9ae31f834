from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.protocol.reports import ChampionComparison, ChampionRetest, Check
from common.settings.sections import PromoteIf
from coordinator.policy.championship import Champion
from coordinator.policy.promotion import Challenger, Decision, decide
from tests.coordinator.specimens import NOON, SPAN, scores

GATE = PromoteIf()
REAL = Champion("c" * 64, False, scores(auc=0.55), SPAN.end, NOON)
LEAK = Check(
    name="scaler",
    passed=False,
    checked=6,
    detail="fold 1: means are not those of the 915 rows that it may know",
)


def challenger(job_id: int = 1, **changes: Any) -> Challenger:
    good = Challenger(job_id, scores(), 0.001, True, False, None)
    return replace(good, **changes)


def compared(ours: float, theirs: float, p_value: float) -> ChampionComparison:
    return ChampionComparison(
        champion=REAL.sha256,
        rows_compared=1234,
        scores=scores(log_loss=theirs),
        challenger_scores=scores(log_loss=ours),
        detail="",
        retest=ChampionRetest(
            rows=1234,
            span=SPAN,
            scores=scores(log_loss=theirs),
            challenger_scores=scores(log_loss=ours),
            floor_auc=0.5125,
            lost_p_value=0.5,
            record_p_value=0.001,
        ),
        challenger_worse_p_value=p_value,
        challenger_worse_rows=1234,
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
            "p-value 0.2 does not pass the 0.05 that a night may spend of the false-discovery rate "
            "over 1 cells: 0.05 or less was needed",
        ),
    ],
)
def test_each_gate_refuses_by_name_and_in_words(changes: dict[str, Any], missed: str, reason: str) -> None:
    made = decision(challenger(**changes))
    [told] = made.reasons
    assert reason in told and made.refused_by == (missed,)


@pytest.mark.parametrize(
    ("p_value", "told"),
    [(0.0500001, "p-value 0.0500001 "), (0.05123456, "p-value 0.05123 "), (math.nan, "p-value nan ")],
)
def test_a_p_value_that_just_misses_is_told_with_as_many_digits_as_show_it(p_value: float, told: str) -> None:
    [reason] = decision(challenger(p_value=p_value)).reasons
    assert reason.startswith(told) and reason.endswith(": 0.05 or less was needed")


def test_scores_on_the_threshold_pass() -> None:
    assert decision(challenger(scores=scores(auc=0.52, brier=0.26, accuracy=0.50))).promoted


def test_all_reasons_are_told_at_once() -> None:
    assert len(decision(challenger(certified=False, scores=scores(auc=0.5), p_value=1.0)).reasons) == 3


# --- Families -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tiny", [1e-9, 0.0])
def test_strong_cells_of_one_timeframe_do_not_carry_weak_ones_of_another(tiny: float) -> None:
    strong = [challenger(job_id, p_value=tiny, timeframe="1m") for job_id in range(1, 19)]
    weak = [challenger(job_id, p_value=0.02, timeframe="1d") for job_id in range(19, 21)]
    rest = [challenger(job_id, p_value=0.5, timeframe="1d") for job_id in range(21, 37)]
    made = {one.job_id: one for one in decide([*strong, *weak, *rest], {}, GATE, 0.10)}
    assert [job_id for job_id, one in made.items() if one.promoted] == list(range(1, 19))
    assert made[19].reasons == (
        "p-value 0.02 does not pass the 0.05 that a night may spend of the false-discovery rate over "
        "the 18 cells of 1d: 0.002777 or less was needed",
    )
    one_family = [replace(one, timeframe="") for one in (*strong, *weak, *rest)]
    assert sum(one.promoted for one in decide(one_family, {}, GATE, 0.10)) == 20


def test_the_rate_is_kept_over_the_whole_run() -> None:
    lucky = challenger(1, p_value=0.04)
    crowd = [challenger(job_id, p_value=0.5) for job_id in range(2, 30)]
    assert decide([lucky], {}, GATE, 0.10)[0].promoted
    assert not decide([lucky, *crowd], {}, GATE, 0.10)[0].promoted


# --- The champion -------------------------------------------------------------------------------------------


def test_what_speaks_for_the_champion_refuses_the_model() -> None:
    [reason] = decision(challenger(comparison=compared(0.69, 0.68, p_value=0.01)), REAL).reasons
    assert "log loss 0.69000 is above the champion's 0.68000" in reason
    assert decision(challenger(comparison=compared(0.69, 0.68, p_value=0.2)), REAL).promoted
    [after] = decision(challenger(succession="its predecessor lost its edge")).reasons
    assert after == "its predecessor lost its edge"


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
