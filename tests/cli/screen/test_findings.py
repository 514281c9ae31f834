"""What `nighttrain data check` says of the findings of surveys."""

from __future__ import annotations

from cli.screen.findings import finding_lines
from tests.result_fixtures import finding, surveyed


def told(*found: object, refused: dict[str, str] | None = None, before: tuple[str, ...] = ()) -> list[str]:
    report = surveyed(*found).report  # type: ignore[arg-type]
    assert report is not None
    return list(finding_lines(refused or {}, [report], before))


def test_each_thing_is_one_line_with_its_timeframes() -> None:
    same = finding("gap", 3, "1h"), finding("gap", 3, "4h"), finding("gap", 3, "4h")
    assert told(*same, finding("bad_line", 7, "")) == [
        "BTCUSDT 1h, 4h: 3 gap in words.",
        "BTCUSDT: 7 bad_line in words.",
    ]


def test_a_symbol_is_named_once() -> None:
    named = finding("gap").model_copy(update={"detail": "BTCUSDT: no minutes"})
    assert told(named) == ["BTCUSDT 1h: no minutes"]
    assert told(refused={"ETHUSDT": "ETHUSDT: no file"}) == ["ETHUSDT: no file"]


def test_what_the_table_says_already_is_not_repeated() -> None:
    assert told(finding("gap"), before=("1 gap in words.",)) == []
