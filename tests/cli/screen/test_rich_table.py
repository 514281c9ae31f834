from __future__ import annotations

import io

from rich.console import Console

from cli.screen.rich_table import print_summary
from common.protocol.job_views import RefusalReason
from common.protocol.jobs import Cause
from common.protocol.results import Results
from tests.result_fixtures import failed, finding, job, results, surveyed

BRACKETS = "its JSON is no list of rows [time, open, high] in [/a/b] :warning:"


def printed(document: Results, width: int, terminal: bool) -> list[str]:
    file = io.StringIO()
    print_summary(document, Console(file=file, width=width, force_terminal=terminal, no_color=True))
    return file.getvalue().splitlines()


def bracketed() -> Results:
    found = finding("cut_file", timeframe="").model_copy(update={"detail": f"{BRACKETS}."})
    return results(failed("BTCUSDT", "15m", 1, Cause.DATA, BRACKETS), surveys=(surveyed(found),))


def test_messages_are_printed_as_they_are_whatever_stands_in_them() -> None:
    lines = printed(bracketed(), width=40, terminal=False)
    failure = lines.index(f"candles refused, 1 cell: {BRACKETS}")
    assert lines[failure + 1] == f"candles of BTCUSDT: {BRACKETS}."
    assert lines[failure + 3].startswith("0 of 1 cells trained")


def test_a_terminal_gets_lines_that_fit_it() -> None:
    lines = printed(bracketed(), width=40, terminal=True)
    start = next(place for place, line in enumerate(lines) if line.startswith("candles of BTCUSDT:"))
    assert lines[start : start + 3] == [
        "candles of BTCUSDT: its JSON is no list",
        "  of rows [time, open, high] in [/a/b]",
        "  :warning:.",
    ]
    assert max(map(len, lines[start - 3 :])) <= 40


def test_a_usual_terminal_has_room_for_the_usual_grid() -> None:
    timeframes = ("1m", "5m", "15m", "1h", "4h", "1d")
    chance = (RefusalReason.SIGNIFICANCE,)
    cells = [job("DOGEUSDT", timeframe, 1, 0.512, refused_by=chance) for timeframe in timeframes[1:]]
    document = results(failed("DOGEUSDT", "1m", 1, Cause.DATA, "no candles"), *cells)
    config = document.config.model_copy(update={"timeframes": timeframes, "symbols": ("DOGEUSDT",)})
    lines = printed(document.model_copy(update={"config": config}), width=80, terminal=False)
    told = " ".join(lines)
    assert "DOGEUSDT" in told
    assert "refused" in told
    assert (told.count("0.512 H1"), told.count("chance")) == (5, 5)
