"""Why a model was promoted is told by the rules that it was decided by."""

from __future__ import annotations

from typing import Any

from common.protocol.jobs import Cell
from common.protocol.reports import ChampionComparison, GateScores
from common.timeframes import Timeframe
from coordinator.web.verdict import NO_CLAIM, verdict_of
from tests.coordinator.one_cell import compared
from tests.coordinator.specimens import Night, grid, manifest, scores

CHAMPION = manifest(
    Cell(symbol="BTCUSDT", timeframe=Timeframe("1h"), horizon=1), scores=scores(log_loss=0.689)
)


def told(night: Night, champion: ChampionComparison | None = None, gates: GateScores | None = None) -> str:
    """What is said of a promoted model whose trainer found this out."""
    boot = night.start(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,))
    held = night.grant(boot)
    night.succeed(held)
    night.housekeeping.tick()
    job = night.detail(held.job_id)
    assert job.promoted and job.report is not None
    report = job.report.model_copy(update={"champion": champion, "gates": gates})
    verdict = verdict_of(job.model_copy(update={"report": report}), grid())
    assert verdict is not None and all(point.met for point in verdict.points)
    return " ".join(point.words for point in verdict.points)


def against(**changes: Any) -> ChampionComparison:
    return compared(CHAMPION, 0.6891, **changes)


def test_a_little_above_the_champion_is_not_significantly_above(night: Night) -> None:
    words = told(night, against(challenger_worse_p_value=0.4))
    assert "Log loss 0.68910 is not significantly above the former champion's 0.68900" in words
    assert "on the 500 rows after its training (p-value 0.4 of being worse)" in words


def test_where_few_rows_came_since_all_that_were_compared_are_named(night: Night) -> None:
    words = told(night, against(challenger_worse_p_value=0.99, challenger_worse_rows=9_000))
    assert "on the 9,000 rows compared (p-value 0.99" in words


def test_a_comparison_that_speaks_for_the_champion_is_not_told_as_met(night: Night) -> None:
    words = told(night, against(challenger_worse_p_value=0.01))
    assert NO_CLAIM in words and "significantly" not in words


def test_an_earlier_version_compared_without_a_test(night: Night) -> None:
    words = told(night, compared(CHAMPION, 0.688, retest=None, challenger_worse_p_value=None))
    assert "Log loss 0.68800 is not above the former champion's 0.68900 on the same 500 rows" in words


def test_an_earlier_version_that_found_it_above_does_not_say_it_is_not(night: Night) -> None:
    assert NO_CLAIM in told(night, against(retest=None, challenger_worse_p_value=None))


def test_what_a_night_may_spend_is_told(night: Night) -> None:
    assert grid().false_discovery_rate == 0.1
    words = told(night)
    assert "at no more than the 0.05 that one night may spend of the false-discovery rate of 0.1" in words


def test_both_gates_are_told_as_met(night: Night) -> None:
    words = told(night, gates=GateScores(base_rate_log_loss=0.693, newest_fold=scores(auc=0.55)))
    assert "Log loss 0.680000 is below the 0.693000 of always saying the share of rises" in words
    assert "AUC 0.5500 in the newest fold (10,000 rows) is above 0.5." in words
    assert "newest fold" not in told(night)
