"""The candles of a night as its surveys saw them."""

from __future__ import annotations

from datetime import UTC, datetime

from common.protocol.jobs import JobState
from common.protocol.reports import Finding
from coordinator.views.candles import night_candles, place_of
from tests.coordinator.specimens import SPAN, Night, release


def test_each_symbol_has_its_survey_or_says_that_it_has_none(night: Night) -> None:
    run = night.begin()
    night.register()
    grant = night.grant("t1-boot")
    found = night_candles(night.database, run)
    assert [one.job.symbol for one in found.symbols] == ["BTCUSDT", "ETHUSDT"]
    assert found.symbols[0].report is None and found.symbols[0].newest is None
    night.queue.release(grant.lease_id, release())
    night.survey_all("t1-boot")
    first = night_candles(night.database, run).symbols[0]
    assert first.job.state is JobState.SUCCEEDED and first.newest == SPAN.end and first.missing == 0


def test_the_place_of_a_finding_is_a_moment_or_a_file() -> None:
    finding = Finding(
        defect="gap", timeframe="1m", count=3, action="reported", first="2024-03-02 10:05 UTC", detail=""
    )
    assert place_of(finding) == datetime(2024, 3, 2, 10, 5, tzinfo=UTC)
    assert place_of(finding.model_copy(update={"first": "2024-03-02 10:05:07 UTC"})) is not None
    assert place_of(finding.model_copy(update={"first": "BTCUSDT/a.csv"})) is None
