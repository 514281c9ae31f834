"""Small results of nights: jobs, surveys and their findings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from common.protocol.jobs import Cause, JobState
from common.protocol.reports import Finding, Scores, SeriesReport, Span, SurveyReport
from common.protocol.results import JobResult, Results, SurveyResult, Totals
from common.settings.grid import GridConfig
from common.settings.night import NightSettings

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOURS = 1000


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


def results(
    *jobs: JobResult,
    synthetic: bool = False,
    peak: int | None = 2**28,
    surveys: tuple[SurveyResult, ...] = (),
) -> Results:
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
        surveys=surveys,
    )


def series(timeframe: str, hours: int = HOURS, **changes: Any) -> SeriesReport:
    content: dict[str, Any] = {
        "timeframe": timeframe,
        "source": "native",
        "rows": 10,
        "span": Span(start=NOON, end=NOON + timedelta(hours=hours)),
        "digest": "0",
        "missing": 0,
        "segments": 1,
        "quote_volume_per_day": 1.0,
        "refusal": "",
    }
    return SeriesReport(**{**content, **changes})


def finding(defect: str, count: int = 1, timeframe: str = "1h", action: str = "dropped") -> Finding:
    detail = f"{count} {defect} in words."
    return Finding(
        defect=defect, timeframe=timeframe, count=count, action=action, first="here", detail=detail
    )


def surveyed(
    *found: Finding, symbol: str = "BTCUSDT", of: tuple[SeriesReport, ...] = (series("1h"), series("4h"))
) -> SurveyResult:
    report = SurveyReport(
        symbol=symbol,
        synthetic=False,
        files=(),
        series=of,
        findings=found,
        quote_volume_per_day=1.0,
        cache_hit=False,
    )
    return SurveyResult(
        symbol=symbol,
        state=JobState.SUCCEEDED,
        cause=None,
        message="",
        report=report,
        seconds=1.0,
        peak_memory_bytes=None,
        attempts=(),
    )
