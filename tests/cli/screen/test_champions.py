"""What is told of champions below the table."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from cli.screen import summary
from cli.screen.champions import best_of, champion_lines
from common.protocol.reports import Scores
from common.protocol.results import Results
from common.protocol.retests import ChampionResult, Verdict
from tests.result_fixtures import NOON, job, results


def champion(horizon: int = 1, auc: float | None = 0.512, **changes: Any) -> ChampionResult:
    scores = Scores(auc=auc, brier=0.25, accuracy=0.5, log_loss=0.69, base_rate=0.5, n=900)
    content = {
        "symbol": "BTCUSDT",
        "timeframe": "1h",
        "horizon": horizon,
        "model": "c" * 64,
        "verdict": Verdict.STANDS,
        "replaced": False,
        "words": "AUC 0.512 on 900 rows after its training, promised 0.540",
        "promised_auc": 0.54,
        "trained_until": NOON - timedelta(days=30),
        "since": NOON - timedelta(days=29),
        "age_days": 30.0,
        "new_rows": 900,
        "new_scores": scores,
        "lost_p_value": 0.3,
    }
    return ChampionResult(**{**content, **changes})


def night(*found: ChampionResult) -> Results:
    return results(job("BTCUSDT", "1h", 1)).model_copy(update={"champions": found})


def test_champions_are_counted_by_what_became_of_them_and_held_to_their_promise() -> None:
    found = night(
        champion(1),
        champion(3, replaced=True, auc=0.52),
        champion(5, verdict=Verdict.EXPIRED, words="it is 181 days old", lost_p_value=None),
        champion(1, timeframe="4h", verdict=Verdict.DEMOTED, words="it has lost its edge", auc=0.48),
    )
    assert champion_lines(found) == [
        "champions: 4 stood, of which 1 stay, 1 replaced, 1 demoted, 1 expired; on the rows after their"
        " training 3 scored 0.504, promised 0.540",
        "champion of BTCUSDT 1h H5 expired: it is 181 days old",
        "champion of BTCUSDT 4h H1 demoted: it has lost its edge",
    ]
    assert champion_lines(found)[0] in summary.lines(found)


def test_a_champion_that_was_demoted_and_replaced_is_counted_once() -> None:
    found = night(champion(1, verdict=Verdict.DEMOTED, replaced=True), champion(3, verdict=Verdict.DEMOTED))
    assert champion_lines(found)[0].startswith("champions: 2 stood, of which 1 replaced, 1 demoted;")


def test_many_that_ended_are_counted() -> None:
    ended = [champion(horizon, verdict=Verdict.DEMOTED) for horizon in range(1, 8)]
    lines = champion_lines(night(*ended))
    assert len(lines) == 6 and lines[-1] == "3 more champions ended: see the results"


def test_without_champions_nothing_is_said_and_without_new_rows_that_is() -> None:
    assert champion_lines(night()) == []
    [line] = champion_lines(night(champion(lost_p_value=None, new_scores=None, new_rows=0)))
    assert line.endswith("1 stay; none had enough rows after its training to be judged by")


def test_a_cell_with_a_champion_of_an_earlier_night_is_marked() -> None:
    stays = dict(summary.rows(night(champion())))["BTCUSDT"][1]
    assert stays.text == "0.510 H1 +"
    gone = dict(summary.rows(night(champion(replaced=True))))["BTCUSDT"][1]
    assert gone.text == "0.510 H1"


def test_the_best_of_several_horizons_is_told_as_what_it_is() -> None:
    best = [
        job("BTCUSDT", "1h", 1, best_of=3, p_value_best_of=0.04),
        job("ETHUSDT", "1h", 1, best_of=3, p_value_best_of=0.06),
    ]
    assert best_of(best) == [
        "a cell shows the best of 3 horizons, promoted ones first; picking alone lifts an AUC by luck: "
        "with the p-value corrected for that, 1 of 2 are at or below 0.05"
    ]
    assert best_of([job("BTCUSDT", "1h", 1, best_of=1, p_value_best_of=0.04), job("X", "1h", 1)]) == []
