"""What is worth a line about the candles of a night."""

from __future__ import annotations

from datetime import timedelta

from cli.screen.candles import age_lines, finding_lines
from common.protocol.jobs import Cause, JobState
from common.protocol.reports import Span
from common.protocol.results import JobResult, SurveyResult
from tests.result_fixtures import HOURS, NOON, failed, finding, job, results, series, surveyed

HOUR = timedelta(hours=1)


def test_the_age_of_the_candles_is_told_with_what_to_do_about_old_ones() -> None:
    def of(hours: int, symbol: str = "BTCUSDT") -> SurveyResult:
        return surveyed(symbol=symbol, of=(series("1h", span=Span(start=NOON, end=NOON - hours * HOUR)),))

    assert age_lines(results()) == []
    assert age_lines(results(surveys=(of(13),), synthetic=True)) == []
    fresh = "candles end 2026-03-01 23:00 UTC, 13 h before the night began"
    assert age_lines(results(surveys=(of(13), of(14, "ETHUSDT")))) == [fresh]
    [old] = age_lines(results(surveys=(of(13), of(24 * 30, "ETHUSDT"))))
    assert old == (
        f"{fresh}; those of ETHUSDT end 2026-01-31 12:00 UTC: fetch newer ones, "
        "such as by nighttrain data download --update"
    )
    behind = [
        of(24 * (30 + k), symbol) for k, symbol in enumerate(("ETHUSDT", "SOLUSDT", "XRPUSDT", "ADAUSDT"))
    ]
    [many] = age_lines(results(surveys=(of(13), *behind)))
    first, *named = many.removeprefix(f"{fresh}; ").split(", ")
    assert first == "those of ADAUSDT end 2026-01-28 12:00 UTC"
    assert named[:2] == ["of XRPUSDT 2026-01-29 12:00 UTC", "of SOLUSDT 2026-01-30 12:00 UTC"]
    assert named[2].startswith("and of 1 more: fetch newer ones")
    assert "30 days before the night began" in age_lines(results(surveys=(of(720),)))[0]


def told(*surveys: SurveyResult, jobs: tuple[JobResult, ...] = ()) -> list[str]:
    return finding_lines(results(*jobs, surveys=surveys))


def test_findings_of_every_day_are_worth_no_line() -> None:
    everyday = [finding(defect, 500) for defect in ("unfinished", "overlap_equal", "unsorted", "filled")]
    assert told(surveyed()) == []
    assert told(surveyed(*everyday)) == []


def test_a_line_has_the_worst_finding_in_words_and_counts_of_the_others() -> None:
    found = (
        finding("jump", 1, action="kept"),
        finding("overlap_different", 4000, action="reported"),
        finding("high_low", 9, "1h"),
        finding("spike", 2, "1h"),
        finding("high_low", 3, "4h"),
        finding("cut_file", 1, ""),
        finding("unfinished"),
    )
    assert told(surveyed(*found)) == [
        "candles of BTCUSDT: 1 cut_file in words. "
        "Also: 12 high low (1h, 4h), 2 spike (1h), 4,000 overlap different (1h), 1 jump (1h)."
    ]
    gap = finding("gap", 500, action="kept")
    assert told(surveyed(gap, finding("jump", action="kept"))) == [
        "candles of BTCUSDT: 1h: 1 jump in words. Also: 500 gap (1h)."
    ]
    assert told(surveyed(finding("spike", 2))) == ["candles of BTCUSDT: 1h: 2 spike in words."]


def test_a_finding_that_nobody_has_heard_of_is_told() -> None:
    assert told(surveyed(finding("new_kind", action="new_action"))) == [
        "candles of BTCUSDT: 1h: 1 new_kind in words."
    ]


def test_gaps_and_idle_bars_are_told_from_a_share_on_and_once_only() -> None:
    assert told(surveyed(finding("gap", HOURS // 100, action="kept"))) == []
    assert told(surveyed(finding("zero_volume", HOURS // 20, action="kept"))) == []
    gap = finding("gap", HOURS // 100 + 1, action="kept")
    assert told(surveyed(gap)) == ["candles of BTCUSDT: 1h: 11 gap in words."]
    coarser = finding("gap", 10, "4h", action="kept")
    assert told(surveyed(gap, coarser)) == ["candles of BTCUSDT: 4h: 10 gap in words."]
    idle = finding("zero_volume", HOURS // 20 + 1, action="kept")
    assert told(surveyed(idle, gap)) == [
        "candles of BTCUSDT: 1h: 51 zero_volume in words. Also: 11 gap (1h)."
    ]


def test_a_share_is_of_its_own_series_or_else_of_the_longest() -> None:
    short = (series("1h", 100), series("4h"))
    gap = finding("gap", 2, action="kept")
    assert told(surveyed(gap)) == []
    assert len(told(surveyed(gap, of=short))) == 1
    minutes = finding("zero_volume", HOURS * 3, "1m", "kept")
    assert told(surveyed(minutes, of=short)) == []
    assert len(told(surveyed(finding("zero_volume", HOURS * 3 + 1, "1m", "kept"), of=short))) == 1


def test_a_refusal_is_told_only_where_no_failure_gives_it() -> None:
    refused = finding("missing_share", 600, action="refused")
    of = (series("1h", refusal="600 missing_share in words"),)
    survey = surveyed(finding("gap", 600, action="kept"), refused, of=of)
    assert told(survey) == ["candles of BTCUSDT: 1h: 600 missing_share in words."]
    message = "BTCUSDT 1h: 600 missing_share in words (why)"
    assert told(survey, jobs=(failed("BTCUSDT", "1h", 1, Cause.DATA, message),)) == []
    assert len(told(survey, jobs=(job("BTCUSDT", "1h", 1, message=message),))) == 1


def test_of_many_symbols_the_worst_are_told_and_the_others_counted() -> None:
    mild = [surveyed(finding("jump", action="kept"), symbol=f"A{n}USDT") for n in range(8)]
    bad = surveyed(finding("spike"), symbol="ZUSDT")
    assert [line.split()[2] for line in told(*mild)] == [f"A{n}USDT:" for n in range(8)]
    assert [line.split()[2] for line in told(*mild, bad)][:2] == ["ZUSDT:", "A0USDT:"]
    assert told(*mild, bad)[8:] == ["candles of 1 more symbol have findings too: see the results"]
    assert told(*mild, bad, bad)[8:] == ["candles of 2 more symbols have findings too: see the results"]


def test_a_survey_that_failed_has_no_findings() -> None:
    failed_survey = surveyed().model_copy(update={"report": None, "state": JobState.FAILED})
    assert told(failed_survey) == []
