"""More nights over a trained one, told to the queue as trainers would: failures and other settings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from common.protocol.jobs import Cause
from common.protocol.reports import Finding, SurveyReport
from common.protocol.trainers import Grant
from coordinator.store.database import Database, sqlite_url
from tests.coordinator.specimens import (
    Clock,
    Night,
    failure,
    finish,
    renewal,
    settings,
    spec_of,
    survey_report,
)

HOSTILE = "<script>alert('x')</script>"
LINEAGE = {
    "candles_15m": "b",
    "candles_1h": "c",
    "configuration": "d",
    "nighttrain": "0.0.9",
    "numpy": "2.2.1",
}
GRID = {"symbols": ("BTCUSDT", "ETHUSDT", "DOGEUSDT"), "timeframes": ("15m", "1h"), "horizons": (1, 3)}


def add_nights(out: Path) -> None:
    """Add a night that is over and one that runs to the database of a folder whose coordinator is away."""
    now = datetime.now(UTC).replace(microsecond=0)
    clock = Clock(now - timedelta(hours=9))
    database = Database(sqlite_url(out / "nighttrain.db"), clock)
    night = Night(database, settings(), out)
    _second(night)
    clock.now = now - timedelta(minutes=20)
    _third(night)
    database.close()


def _second(night: Night) -> None:
    night.begin(**GRID, n_splits=4)
    first, second = night.register("desk-1"), night.register("desk-2")
    _survey(night, first)
    for number in range(40):
        boot = (first, second)[number % 2]
        answer = night.claim(boot)
        if not isinstance(answer, Grant):
            break
        night.clock.advance(95 + 37 * (number % 5))
        spec = spec_of(answer)
        if spec.cell.symbol == "DOGEUSDT" and spec.cell.timeframe == "15m":
            cause = (Cause.OOM, Cause.ERROR)[number % 2]
            night.queue.fail(answer.lease_id, failure(cause, "ValueError: NaN in column rsi_14"))
            night.clock.advance(240)
            continue
        auc = 0.49 + 0.004 * (number * 7 % 13)
        night.succeed(
            answer, auc=auc, seed=f"second {number}", p_value=0.0004 if auc > 0.52 else 0.3, lineage=LINEAGE
        )
    _drain(night, first)


def _drain(night: Night, boot: str) -> None:
    """Let time pass until each job is final."""
    for _ in range(60):
        night.clock.advance(300)
        answer = night.claim(boot)
        if isinstance(answer, Grant):
            night.queue.fail(answer.lease_id, failure(Cause.ERROR, "ValueError: NaN in column rsi_14"))
    night.housekeeping.tick()


def _third(night: Night) -> None:
    night.begin(**GRID)
    first, second = night.register("desk-1", "desk-1-again"), night.register("desk-2", "desk-2-again")
    _survey(night, first)
    for number in range(6):
        grant = night.grant(first)
        night.clock.advance(70)
        night.succeed(grant, auc=0.51 + 0.01 * number, seed=f"third {number}", lineage=LINEAGE)
    failed = night.grant(second)
    night.clock.advance(30)
    night.queue.fail(failed.lease_id, failure(message=f"KeyError: {HOSTILE}"))
    running = night.grant(first)
    night.clock.advance(60)
    night.queue.renew(running.lease_id, renewal(stage="folds", done=2, total=11))


def _survey(night: Night, boot: str) -> None:
    for _ in GRID["symbols"]:
        grant = night.grant(boot)
        report = survey_report(grant.spec)  # type: ignore[arg-type]
        night.clock.advance(12)
        night.queue.finish(grant.lease_id, finish(_damaged(report)))


def _damaged(report: SurveyReport) -> SurveyReport:
    shares = tuple(0.0 if 40 <= part < 43 else 0.93 if part == 70 else 1.0 for part in range(96))
    series = tuple(one.model_copy(update={"coverage": shares, "missing": 730}) for one in report.series)
    found = (
        Finding(
            defect="gap",
            timeframe="15m",
            count=3,
            action="reported",
            first="2024-11-05 10:15 UTC",
            detail="730 of 35,000 bars (2.1 %) are missing in 3 gaps, first 2024-11-05 10:15 UTC.",
        ),
        Finding(
            defect="impossible_price",
            timeframe="1h",
            count=2,
            action="dropped",
            first="2025-06-01 00:00 UTC",
            detail="2 bars with a high below the low were dropped, first 2025-06-01 00:00 UTC.",
        ),
        Finding(
            defect="bad_line",
            timeframe="",
            count=7,
            action="dropped",
            first=f"{report.symbol}/{HOSTILE}.csv",
            detail="7 lines with too few or too many fields were dropped, first line 12.",
        ),
    )
    return report.model_copy(update={"series": series, "findings": found})
