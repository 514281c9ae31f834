from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from common import summary
from common.jobs import Cause, JobState
from common.report import Scores
from common.results import JobResult, Results, Totals
from common.settings import NightSettings
from common.summary import SummaryCell, Tone
from common.views import GridConfig, RefusalReason

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def job(symbol: str, timeframe: str, horizon: int, auc: float | None = 0.51, **changes: Any) -> JobResult:
    scores = Scores(auc=auc, brier=0.25, accuracy=0.5, log_loss=0.69, base_rate=0.5, n=1000)
    content: dict[str, Any] = {
        "symbol": symbol,
        "timeframe": timeframe,
        "horizon": horizon,
        "state": JobState.SUCCEEDED,
        "cause": None,
        "message": "",
        "rows": 1000,
        "span": None,
        "scores": scores,
        "folds": (),
        "p_value": 0.2,
        "promoted": False,
        "refused_by": (),
        "reasons": (),
        "seconds": 1.0,
        "peak_memory_bytes": 2**28,
        "attempts": (),
    }
    return JobResult(**{**content, **changes})


def failed(symbol: str, timeframe: str, horizon: int, cause: Cause, message: str) -> JobResult:
    state = {"state": JobState.FAILED, "cause": cause, "message": message}
    return job(symbol, timeframe, horizon, **state, scores=None, p_value=None)


def results(*jobs: JobResult, synthetic: bool = False, peak: int | None = 2**28) -> Results:
    settings = NightSettings(symbols=["BTCUSDT", "ETHUSDT"], timeframes=["15m", "1h"], horizons=[1, 3])
    states = [one.state for one in jobs]
    return Results(
        run=7,
        config=GridConfig(**settings.grid_config()),
        synthetic=synthetic,
        started=NOON,
        finished=NOON,
        totals=Totals(
            jobs=len(jobs),
            succeeded=states.count(JobState.SUCCEEDED),
            failed=states.count(JobState.FAILED),
            cancelled=0,
            promoted=sum(one.promoted for one in jobs),
            attempts=len(jobs),
            wall_seconds=12.4,
            job_seconds=20.0,
            peak_memory_bytes=peak,
        ),
        jobs=jobs,
        surveys=(),
    )


def cell(*jobs: JobResult) -> SummaryCell:
    [(symbol, (shown, _)), _] = summary.rows(results(*jobs))
    assert symbol == "BTCUSDT"
    return shown


def test_a_cell_shows_the_horizon_with_the_highest_auc() -> None:
    low, high = job("BTCUSDT", "15m", 1, 0.52), job("BTCUSDT", "15m", 3, 0.5349)
    assert cell(low, high) == SummaryCell("0.535 H3")


def test_a_promoted_horizon_goes_before_a_higher_auc() -> None:
    shown = cell(job("BTCUSDT", "15m", 1, 0.53, promoted=True), job("BTCUSDT", "15m", 3, 0.54))
    assert shown == SummaryCell("0.530 H1 *", Tone.PROMOTED)


def test_a_refused_one_says_the_first_thing_that_it_missed() -> None:
    missed = (RefusalReason.AUC, RefusalReason.SIGNIFICANCE)
    assert cell(job("BTCUSDT", "15m", 1, refused_by=missed)).text == "0.510 H1 auc"
    assert cell(job("BTCUSDT", "15m", 1, refused_by=missed[1:])).text == "0.510 H1 chance"


def test_a_cell_without_scores_says_what_became_of_it() -> None:
    assert cell(failed("BTCUSDT", "15m", 1, Cause.OOM, "too big")) == SummaryCell("failed: oom", Tone.FAILED)
    assert cell(job("BTCUSDT", "15m", 1, state=JobState.CANCELLED, scores=None)).text == "cancelled"
    assert cell().text == ""


def test_the_rows_are_in_the_order_of_the_grid() -> None:
    table = summary.rows(results(job("ETHUSDT", "1h", 1, 0.6), job("BTCUSDT", "15m", 1, 0.5)))
    assert [(symbol, [one.text for one in cells]) for symbol, cells in table] == [
        ("BTCUSDT", ["0.500 H1", ""]),
        ("ETHUSDT", ["", "0.600 H1"]),
    ]


def test_equal_failures_are_one_line() -> None:
    jobs = [failed("BTCUSDT", "15m", horizon, Cause.DATA, "no candles") for horizon in (1, 3)]
    other = failed("ETHUSDT", "15m", 1, Cause.ERROR, "it broke")
    assert summary.failures([*jobs, other, job("ETHUSDT", "1h", 1)]) == [
        "failed (data), 2 cells: no candles",
        "failed (error), 1 cell: it broke",
    ]


def test_synthetic_candles_are_named_in_the_title_and_figures_in_one_line() -> None:
    assert summary.title(results()) == "Night 7: out-of-fold AUC of the best horizon"
    assert "SYNTHETIC" in summary.title(results(synthetic=True))
    told = results(job("BTCUSDT", "15m", 1, promoted=True))
    assert summary.totals(told) == (
        "1 of 1 cells trained, 1 promoted, 0 failed, 0 cancelled in 12 s; largest job 256 MiB"
    )
    assert "MiB" not in summary.totals(results(peak=None))
