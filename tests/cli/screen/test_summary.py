from __future__ import annotations

from cli.screen import summary
from cli.screen.summary import SummaryCell, Tone
from common.protocol.job_views import RefusalReason
from common.protocol.jobs import Cause, JobState
from common.protocol.reports import Check, Edge, Ties
from common.protocol.results import JobResult
from tests.result_fixtures import failed, job, results


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


def test_a_certificate_that_is_not_valid_names_the_check_and_has_a_line_below_the_table() -> None:
    leak = Check(name="scaler", passed=False, checked=6, detail="fold 1: means are not those of the 915 rows")
    missed = (RefusalReason.CERTIFICATE, RefusalReason.AUC)
    bad = job("BTCUSDT", "15m", 1, refused_by=missed, failed_checks=(leak,))
    assert cell(bad) == SummaryCell("0.510 H1 certificate: scaler", Tone.FAILED)
    assert cell(job("BTCUSDT", "15m", 1, refused_by=missed)).text == "0.510 H1 certificate"
    told = "certificate of BTCUSDT 15m H1 not valid: scaler: fold 1: means are not those of the 915 rows"
    assert summary.lines(results(bad, job("BTCUSDT", "15m", 3)))[:-1] == [told]
    assert summary.failed_checks([bad] * 6)[-2:] == [
        told,
        "2 more models without a valid certificate: see the results",
    ]


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


def test_ties_have_one_line_that_names_the_worst_cell_or_none() -> None:
    few, many = (Ties(rows=1, share=share, auc_with_ties=0.6) for share in (0.005, 0.123))
    calm = job("BTCUSDT", "15m", 1, ties=few)
    assert summary.ties(results(calm, job("BTCUSDT", "1h", 1))) == []
    assert summary.ties(results(calm, job("BTCUSDT", "15m", 3, ties=many))) == [
        "ties: 1 of 2 cells leave out more than 1% of their rows, whose close did not move; "
        "most in BTCUSDT 15m H3 (12.3%)"
    ]


def edge_of(bp: float, error: float = 1.0) -> Edge:
    sizes = {"rows": 1000, "tenth_rows": 100, "high_bp": bp, "low_bp": -bp}
    return Edge(**sizes, edge_bp=bp, standard_error_bp=error, costs_bp=10, beyond_costs_share=0.42)


def test_each_cell_shows_the_gross_edge_of_its_best_horizon() -> None:
    low, high = job("BTCUSDT", "15m", 1, 0.51, edge=edge_of(7)), job("BTCUSDT", "15m", 3, edge=edge_of(-0.34))
    assert cell(low, high).text == "0.510 H1 7.0bp"
    assert cell(high, failed("BTCUSDT", "15m", 1, Cause.OOM, "too big")).text == "0.510 H3 -0.3bp"
    promoted = job("BTCUSDT", "15m", 1, promoted=True, edge=edge_of(12))
    assert cell(promoted).text == "0.510 H1 12.0bp *"
    assert "before costs of 10 bp" in summary.legend(results())


def test_it_is_said_how_many_models_gain_their_costs_and_which_timeframes_have_none() -> None:
    quick = [job("BTCUSDT", "15m", horizon, edge=edge_of(bp, 0.2)) for horizon, bp in ((1, 1.2), (3, 9.9))]
    assert summary.edges(results(*quick)) == [
        "edge: 0 of 2 models gain more than the costs of 10 bp a trade, 0 by more than two standard errors; "
        "none of 15m does",
        "highest edge in bp, and the share of moves beyond the costs: 15m 9.9 ± 0.2 (BTCUSDT H3, 42%)",
    ]
    slow = [job("ETHUSDT", "1h", horizon, edge=edge_of(bp)) for horizon, bp in ((1, 11.9), (3, 12.1))]
    assert summary.edges(results(*quick, *slow)) == [
        "edge: 2 of 4 models gain more than the costs of 10 bp a trade, 1 by more than two standard errors; "
        "none of 15m does",
        "highest edge in bp, and the share of moves beyond the costs: 15m 9.9 ± 0.2 (BTCUSDT H3, 42%), "
        "1h 12.1 ± 1 (ETHUSDT H3, 42%)",
    ]
    assert "none of" not in summary.edges(results(*slow))[0]
    assert summary.edges(results(job("BTCUSDT", "15m", 1))) == []


def test_equal_failures_are_one_line() -> None:
    jobs = [failed("BTCUSDT", "15m", horizon, Cause.DATA, "no candles") for horizon in (1, 3)]
    other = failed("ETHUSDT", "15m", 1, Cause.ERROR, "it broke")
    assert summary.failures([*jobs, other, job("ETHUSDT", "1h", 1)]) == [
        "failed (error), 1 cell: it broke",
        "candles refused, 2 cells: no candles",
    ]


def test_refused_candles_are_no_failure_of_a_cell() -> None:
    refused = failed("BTCUSDT", "15m", 1, Cause.DATA, "no minutes")
    assert cell(refused) == SummaryCell("candles refused")
    other = failed("ETHUSDT", "15m", 1, Cause.ERROR, "it broke")
    assert "0 promoted, 1 failed, 1 had no candles to be trained on, 0 cancelled" in summary.totals(
        results(refused, other)
    )


def test_a_promoted_model_that_loses_before_costs_is_no_plain_star() -> None:
    bad = job("BTCUSDT", "15m", 1, promoted=True, edge=edge_of(-0.3))
    assert cell(bad) == SummaryCell("0.510 H1 -0.3bp *!", Tone.DOUBTFUL)
    good = job("ETHUSDT", "1h", 1, promoted=True, edge=edge_of(0.1))
    assert (
        "of 2 promoted 1 lose before any costs, most BTCUSDT 15m H1 (-0.3 bp)"
        in (summary.edges(results(bad, good))[0])
    )
    assert "*! promoted, but its trades lose before any costs" in summary.legend(results())
    assert "lose" not in summary.edges(results(good))[0]


def test_synthetic_candles_are_named_in_the_title_and_figures_in_one_line() -> None:
    assert summary.title(results()) == "Night 7: out-of-fold AUC of the best of 2 horizons and gross edge"
    assert "SYNTHETIC" in summary.title(results(synthetic=True))
    told = results(job("BTCUSDT", "15m", 1, promoted=True))
    assert summary.totals(told) == (
        "1 of 1 cells trained, 1 promoted, 0 failed, 0 cancelled in 12 s; largest job 256 MiB"
    )
    assert "MiB" not in summary.totals(results(peak=None))


def test_lines_are_broken_between_words_to_the_width_of_a_terminal() -> None:
    line = "candles of BTCUSDT: long/name-of-a/file-2023-01.csv was left out"
    assert summary.wrapped(line, None) == line
    assert summary.wrapped(line, 30) == (
        "candles of BTCUSDT:\n  long/name-of-a/file-2023-01.csv\n  was left out"
    )
