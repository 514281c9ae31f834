"""What `nighttrain report` prints of results."""

from __future__ import annotations

from cli.screen.plain_table import lines
from common.protocol.jobs import Cause
from tests.result_fixtures import failed, finding, results, surveyed

NIGHT = results(
    failed("BTCUSDT", "15m", 1, Cause.DATA, "there are not enough bars for the folds"),
    surveys=(surveyed(finding("cut_file", timeframe=""), finding("spike", 2)),),
)


def test_findings_stand_between_the_failures_and_the_totals() -> None:
    told = list(lines(NIGHT))
    assert told[-4:-2] == [
        "candles refused, 1 cell: there are not enough bars for the folds",
        "candles of BTCUSDT: 1 cut_file in words. Also: 2 spike (1h).",
    ]
    assert told[-2].startswith("candles end 2026-04-13 04:00 UTC")
    assert told[-1:] == [
        "0 of 1 cells trained, 0 promoted, 0 failed, 1 had no candles to be trained on, 0 cancelled in 12 s; "
        "largest job 256 MiB",
    ]


def test_they_are_broken_to_the_width_of_a_terminal() -> None:
    told = "\n".join(lines(NIGHT, width=40))
    assert "candles of BTCUSDT: 1 cut_file in words.\n  Also: 2 spike (1h)." in told
