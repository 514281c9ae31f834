"""What each drawing shows, read back from its elements."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from common.protocol.curves import NullDistribution, ReliabilityBin, RocPoint
from common.protocol.reports import FoldResult, Scores, Span
from coordinator.html.plots.coefficients import Coefficient, coefficients_plot
from coordinator.html.plots.coverage import Strip, coverage_plot
from coordinator.html.plots.curves import reliability_plot, roc_plot
from coordinator.html.plots.density import density_plot, student_density
from coordinator.html.plots.folds import folds_plot
from coordinator.html.plots.sparkline import sparkline
from coordinator.html.plots.timeline import Lane, Stretch, timeline_plot
from tests.coordinator.html.plots.drawn import Drawn

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def test_the_roc_curve_begins_in_the_corner_and_says_its_area() -> None:
    points = [
        RocPoint(threshold=0.6, false_positive_ratio=0.25, true_positive_ratio=0.5),
        RocPoint(threshold=0.4, false_positive_ratio=1.0, true_positive_ratio=1.0),
    ]
    drawn = Drawn(roc_plot(points, 0.625))
    [path] = drawn.of("path", "curve")
    assert path.get("d") == "M50 256L119.5 133L328 10"
    assert "0.6250" in drawn.description and drawn.texts("value") == ["AUC 0.6250"]
    assert drawn.tips("circle", "point")[0] == (
        "from probability 0.600 on: 50.0% of the rises and 25.0% of the others"
    )
    assert "unknown" in Drawn(roc_plot([], None)).description


def test_reliability_says_in_how_many_groups_the_prediction_is_true() -> None:
    true = ReliabilityBin(predicted=0.5, observed=0.51, rows=1000)
    wrong = ReliabilityBin(predicted=0.6, observed=0.5, rows=1000)
    drawn = Drawn(reliability_plot([true, wrong]))
    assert drawn.description.startswith("In 1 of 2 groups")
    upper, lower = drawn.numbers("line", "whisker", "y1"), drawn.numbers("line", "whisker", "y2")
    middle = drawn.numbers("circle", "point", "cy")
    assert all(a < m < b for a, m, b in zip(upper, middle, lower, strict=True))
    assert len(Drawn(reliability_plot([])).of("circle")) == 0


def test_the_null_distribution_peaks_at_its_centre_and_is_shaded_beyond_the_observed() -> None:
    null = NullDistribution(observed=0.53, center=0.5, standard_error=0.01, freedom=200)
    drawn = Drawn(density_plot(null, 0.0015))
    [mark] = drawn.numbers("line", "observed", "x1")
    [beyond] = drawn.of("path", "beyond")
    places = [float(one.split(" ")[0]) for one in (beyond.get("d") or "").strip("MZ").split("L")]
    assert min(places) == pytest.approx(mark, abs=0.01) and max(places) <= 340
    assert "3.0 standard errors above; p-value 0.0015." in drawn.description
    assert student_density(0, 1e6) == pytest.approx(0.39894, abs=1e-4)
    assert student_density(1, 1) == pytest.approx(1 / (2 * 3.141592653589793))


def fold(index: int, auc: float | None = 0.55) -> FoldResult:
    trained = START + (index + 1) * 100 * DAY
    return FoldResult(
        index=index,
        train_rows=2400,
        test_rows=2400,
        train_span=Span(start=START, end=trained),
        test_span=Span(start=trained + timedelta(hours=5), end=trained + 100 * DAY),
        last_train_label_end=trained + timedelta(hours=3),
        C=0.01,
        C_chosen_from=(),
        log_losses=(0.69,),
        scores=Scores(auc=auc, brier=0.25, accuracy=0.5, log_loss=0.69, base_rate=0.5, n=2400),
    )


def test_a_fold_trains_before_its_purge_and_is_tested_after_it() -> None:
    drawn = Drawn(folds_plot([fold(0), fold(1, None)]))
    for trained, purge, tested in zip(
        drawn.of("rect", "train"), drawn.of("rect", "purge"), drawn.of("rect", "test"), strict=True
    ):
        ends = [float(one.get("x", 0)) + float(one.get("width", 0)) for one in (trained, purge)]
        assert ends[0] <= ends[1] == pytest.approx(float(tested.get("x", 0)), abs=0.02)
        assert float(purge.get("width", 0)) >= 2
    assert drawn.texts("value") == ["AUC 0.550", "AUC ?"]
    assert "the last training label ends 2024-04-10 03:00" in drawn.tips("rect", "purge")[0]
    assert "fold 1 0.550, fold 2 ?" in drawn.description


def test_coefficients_lie_on_their_side_of_the_middle() -> None:
    found = [Coefficient("return_1", -0.2, -0.25, -0.1), Coefficient("rsi_14", 0.1, 0.05, 0.12)]
    drawn = Drawn(coefficients_plot(found))
    [fall], [rise] = drawn.of("rect", "fall"), drawn.of("rect", "rise")
    middle = drawn.numbers("line", "baseline", "x1")[0]
    assert float(fall.get("x", 0)) + float(fall.get("width", 0)) == pytest.approx(middle, abs=0.02)
    assert float(rise.get("x", 0)) == pytest.approx(middle, abs=0.02)
    assert "The largest is return_1 with -0.2." in drawn.description


def test_coverage_shows_where_bars_are_missing_and_where_defects_lie() -> None:
    strips = [
        Strip("1m", START, START + 100 * DAY, (1.0, 0.0, 0.5, 1.0), defects=((START + 30 * DAY, "3 jumps"),)),
        Strip("1h", START + 50 * DAY, START + 100 * DAY, (1.0,) * 96),
        Strip("1d", None, None, ()),
    ]
    drawn = Drawn(coverage_plot("Coverage of BTCUSDT", strips, START, START + 100 * DAY))
    assert drawn.description == "Bars are missing in 1m. 1 place of defects is marked."
    whole = drawn.of("rect", "whole")
    # Equal parts side by side are one element.
    assert len(whole) == 3 and float(whole[2].get("width", 0)) == pytest.approx(517, abs=0.1)
    assert drawn.tips("rect", "nothing") == ["1m 2024-01-26 to 2024-02-20: no bars"]
    assert drawn.tips("circle", "defect") == ["1m, 3 jumps"] and "no bars" in drawn.texts("faint")


def test_a_sparkline_leaves_a_gap_where_a_night_has_no_score() -> None:
    drawn = Drawn(sparkline([0.5, 0.52, None, 0.53, 0.55], "AUC of BTCUSDT_1h_H3", 0.5))
    assert len(drawn.of("path", "curve")) == 2 and len(drawn.of("circle")) == 1
    assert drawn.description == "4 nights, from 0.500 to 0.550, lowest 0.500, highest 0.550"
    assert sparkline([None, None], "nothing") == ""


def test_a_stretch_of_the_timeline_leads_to_its_job_and_a_gap_says_why() -> None:
    hour = timedelta(hours=1)
    work = Stretch(START, START + 3 * hour, "failed", "BTCUSDT_1h_H3", "BTCUSDT_1h_H3: it broke", "/jobs/3")
    gap = Stretch(START + 3 * hour, START + 4 * hour, "gap", "", "the coordinator was away")
    later = Stretch(START + 9 * hour, START + 10 * hour, "succeeded", "later", "later", "/jobs/4")
    drawn = Drawn(timeline_plot([Lane("<b>t1</b>", (work, gap, later))], START, START + 4 * hour))
    [link] = drawn.of("a")
    assert (link.get("href"), link.get("aria-label")) == ("/jobs/3", "BTCUSDT_1h_H3: it broke")
    [failed], [waited] = drawn.of("rect", "failed"), drawn.of("rect", "gap")
    assert float(failed.get("width", 0)) == pytest.approx(3 * float(waited.get("width", 0)), abs=0.1)
    assert drawn.tips("rect", "gap") == ["the coordinator was away"]
    assert "<b>t1</b>" in drawn.texts("tick")
    assert drawn.of("text", "tick")[0].get("data-time") == "2024-01-01T00:00:00+00:00"
