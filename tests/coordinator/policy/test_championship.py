"""Whether a champion has earned its place for another night."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from common.protocol.reports import ChampionComparison, ChampionRetest, Obstacle
from common.protocol.retests import Verdict
from coordinator.policy.championship import Champion, Judgement, judge, objection_of, succession_objection
from tests.coordinator.specimens import NOON, SPAN, scores

REAL = Champion("c" * 64, False, scores(auc=0.55), SPAN.end, NOON)
OTHER = "d" * 64
DAY = timedelta(days=1)


def shown(
    lost: float | None = 0.5,
    record: float | None = 0.0001,
    worse: float | None = 0.5,
    rows: int = 5000,
    auc: float = 0.53,
    **changes: Any,
) -> ChampionComparison:
    after = ChampionRetest(
        rows=rows,
        span=SPAN,
        scores=scores(auc=auc).model_copy(update={"n": rows}) if rows else None,
        challenger_scores=scores(log_loss=0.69).model_copy(update={"n": rows}) if rows else None,
        floor_auc=0.5125,
        lost_p_value=lost,
        record_p_value=record,
    )
    found = ChampionComparison(
        champion=REAL.sha256,
        rows_compared=20_000,
        scores=scores(auc=0.54),
        challenger_scores=scores(),
        detail="20000 of 20000 out-of-fold rows",
        retest=after,
        challenger_worse_p_value=worse,
        challenger_worse_rows=rows,
    )
    return found.model_copy(update=changes)


def judged(
    comparison: ChampionComparison | None,
    champion: Champion = REAL,
    days: float = 7,
    age: float = 0,
    untested: str = "",
) -> Judgement:
    newest = None if comparison is None else champion.trained_until + days * DAY
    return judge(champion, comparison, newest, champion.since + age * DAY, 180, untested)


def test_a_champion_that_keeps_its_edge_stands_and_it_is_said_what_it_scored() -> None:
    made = judged(shown())
    assert made.verdict is Verdict.STANDS and made.age_days == 7
    assert made.words == "AUC 0.530 on 5000 rows after its training, promised 0.550"


def test_a_champion_that_has_lost_its_edge_is_demoted_with_the_numbers() -> None:
    made = judged(shown(lost=2e-9, auc=0.48, rows=32_914))
    assert made.verdict is Verdict.DEMOTED
    assert made.words == (
        "it has lost its edge: AUC 0.480 on 32914 rows after its training, promised 0.550"
        " (p-value 2e-09 of a quarter of that edge)"
    )


def test_a_champion_whose_record_is_no_longer_told_from_luck_is_demoted() -> None:
    made = judged(shown(record=0.06))
    assert made.verdict is Verdict.DEMOTED
    assert "AUC 0.540 on all 20000 rows that it has predicted beforehand, p-value 0.06" in made.words


@pytest.mark.parametrize(("lost", "record"), [(0.051, 0.0001), (0.5, 0.05)])
def test_at_the_edge_of_a_level_it_stands(lost: float, record: float) -> None:
    assert judged(shown(lost=lost, record=record)).verdict is Verdict.STANDS


def test_too_few_new_rows_judge_nobody() -> None:
    made = judged(shown(lost=None, rows=12, auc=0.2))
    assert made.verdict is Verdict.STANDS and made.words.endswith("promised 0.550; too few to judge by")
    none = judged(shown(lost=None, rows=0))
    assert (none.verdict, none.words) == (Verdict.STANDS, "no rows after its training yet")


@pytest.mark.parametrize(
    ("days", "age", "verdict"),
    [
        (179, 0, Verdict.STANDS),
        (181, 0, Verdict.EXPIRED),
        (7, 179, Verdict.STANDS),
        (7, 181, Verdict.EXPIRED),
    ],
)
def test_it_expires_by_its_candles_or_by_the_clock(days: float, age: float, verdict: Verdict) -> None:
    made = judged(shown(), days=days, age=age)
    assert made.verdict is verdict
    if verdict is Verdict.EXPIRED:
        assert made.words.startswith("it is 181 days old, 180 at most; AUC 0.530 on 5000 rows")


def test_candles_of_long_ago_end_no_champion_that_was_made_of_them_just_now() -> None:
    old = replace(REAL, trained_until=NOON - 900 * DAY)
    assert judged(shown(), old, days=0).verdict is Verdict.STANDS


def test_without_candles_a_champion_stands_until_the_clock_ends_it_and_says_why_it_was_not_tested() -> None:
    made = judged(None, age=179, untested="its cell was not trained tonight: no candles")
    assert made == Judgement(Verdict.STANDS, "not tested: its cell was not trained tonight: no candles", 179)
    assert judged(None, age=181).verdict is Verdict.EXPIRED


def test_a_damaged_champion_counts_as_none() -> None:
    made = judged(shown(), replace(REAL, damage="its .pkl is missing"))
    assert (made.verdict, made.words) == (Verdict.DEMOTED, "it counts as none: its .pkl is missing")
    bad = shown(obstacle=Obstacle.MALFORMED, detail="it has 3 means for 5 columns", retest=None)
    assert judged(bad).words == "it counts as none: it has 3 means for 5 columns"


@pytest.mark.parametrize("obstacle", [Obstacle.FEATURES, Obstacle.LABELS, Obstacle.CELL])
def test_one_that_cannot_be_compared_stands_untested_and_speaks_against_nobody(obstacle: Obstacle) -> None:
    found = shown(obstacle=obstacle, detail="its labels differ", retest=None, challenger_worse_p_value=None)
    assert judged(found).words == "not tested: its labels differ"
    assert objection_of(REAL, False, OTHER, found) == ""


def test_what_was_found_out_about_another_model_judges_nobody() -> None:
    made = judged(shown(lost=1e-9, champion=OTHER))
    assert made.verdict is Verdict.STANDS and "has changed" in made.words


# --- A new model --------------------------------------------------------------------------------------------


def test_an_old_champion_gives_way_unless_the_new_model_is_significantly_worse() -> None:
    assert objection_of(REAL, False, OTHER, shown(worse=0.051)) == ""
    assert objection_of(REAL, False, OTHER, shown(worse=0.01)) == (
        "log loss 0.69000 is above the champion's 0.68000 on 5000 rows after the champion's training"
        " (p-value 0.01)"
    )


@pytest.mark.parametrize(("rows", "words"), [(12, "only 12 rows have come since"), (0, "no row has come")])
def test_a_champion_is_not_exchanged_untested_but_for_a_better_one(rows: int, words: str) -> None:
    few = {"lost": None, "rows": rows, "challenger_worse_rows": 20_000}
    for p_value in (None, 0.01, 0.5, 0.94):
        assert words in objection_of(REAL, False, OTHER, shown(worse=p_value, **few))
    assert objection_of(REAL, False, OTHER, shown(worse=0.95, **few)) == ""


def test_who_follows_a_champion_that_lost_its_edge_must_have_one_on_the_same_rows() -> None:
    lost = shown(lost=0.01, auc=0.49)
    assert lost.retest is not None
    for auc, objects in ((0.5124, True), (None, True), (0.5125, False)):
        after = lost.retest.model_copy(update={"challenger_scores": scores(auc=auc)})
        words = succession_objection(lost.model_copy(update={"retest": after}))
        assert bool(words) == objects
        assert not words or "on the 5000 rows on which the champion lost its edge is below 0.512" in words
    assert succession_objection(shown(record=0.5)) == succession_objection(None) == ""


def test_the_champion_trained_again_to_the_last_digit_is_no_rival() -> None:
    assert objection_of(REAL, False, REAL.sha256, shown(worse=0.0)) == ""


@pytest.mark.parametrize(
    ("comparison", "words"),
    [(None, "not compared with the present champion"), (shown(champion=OTHER), "no longer the champion")],
)
def test_without_a_comparison_with_this_champion_it_stays(
    comparison: ChampionComparison | None, words: str
) -> None:
    assert words in objection_of(REAL, False, OTHER, comparison)


def test_real_always_replaces_synthetic_and_synthetic_never_replaces_real() -> None:
    synthetic = replace(REAL, synthetic=True)
    assert objection_of(synthetic, False, OTHER, None) == ""
    assert "synthetic" in objection_of(REAL, True, OTHER, shown())
    assert objection_of(synthetic, True, OTHER, shown()) == ""
    assert objection_of(synthetic, True, OTHER, shown(worse=0.01))


def test_less_evidence_because_the_candles_became_fewer_is_no_evidence_against_a_champion() -> None:
    champion = replace(REAL, scores=REAL.scores.model_copy(update={"n": 20_000}))
    few = shown(record=0.3).model_copy(update={"rows_compared": 15_000})
    assert judged(few, champion).verdict is Verdict.STANDS
    assert judged(shown(record=0.3), champion).verdict is Verdict.DEMOTED


def test_what_an_earlier_version_compared_still_speaks_for_the_champion() -> None:
    old = shown(
        worse=None, retest=None, scores=scores(log_loss=0.680), challenger_scores=scores(log_loss=0.692)
    )
    assert objection_of(REAL, False, OTHER, old) == (
        "log loss 0.69200 is above the champion's 0.68000 on the 20000 rows compared"
    )
    better = old.model_copy(update={"challenger_scores": scores(log_loss=0.679)})
    assert objection_of(REAL, False, OTHER, better) == ""
