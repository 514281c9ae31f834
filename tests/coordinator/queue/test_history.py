import pytest

from coordinator.queue.history import SURVEY, History, Measurement

HOURLY = Measurement("1h", 10_000, 20.0, 1_000)
MINUTELY = Measurement("1m", 50_000, 60.0, 5_000)


def test_nothing_measured_means_nothing_known() -> None:
    nothing = History()
    assert nothing.seconds("1h", 10) is None
    assert nothing.peak_memory_bytes("1h", 10) is None
    assert nothing.residuals() == []


def test_the_same_timeframe_speaks_in_proportion_to_the_rows() -> None:
    both = History((HOURLY, Measurement("1h", 10_000, 30.0, 900), MINUTELY))
    assert both.seconds("1h", 20_000) == pytest.approx(50.0)
    assert both.seconds("1h", None) == pytest.approx(25.0)


def test_another_timeframe_is_told_by_a_line_through_all() -> None:
    line = History((HOURLY, MINUTELY))
    assert line.seconds("15m", 30_000) == pytest.approx(40.0)
    assert line.seconds("15m", None) is None


def test_the_line_never_starts_below_zero() -> None:
    steep = History((Measurement("1h", 10_000, 1.0, 1), Measurement("1m", 20_000, 9.0, 1)))
    assert steep.seconds("15m", 100) == pytest.approx(100 * 5.0 / 15_000)


def test_surveys_are_measured_apart() -> None:
    surveyed = History((Measurement(SURVEY, 0, 4.0, 1),))
    assert surveyed.seconds(SURVEY, None) == 4.0
    assert surveyed.seconds("1h", 1000) is None
    assert History((HOURLY,)).seconds(SURVEY, None) is None


def test_more_rows_need_more_memory_and_fewer_rows_no_less_than_was_seen() -> None:
    seen = History((HOURLY, Measurement("1h", 5_000, 20.0, 800)))
    assert seen.peak_memory_bytes("1h", 20_000) == 3_200
    assert seen.peak_memory_bytes("1h", 1_000) == 1_000
    assert seen.peak_memory_bytes("1m", 1_000) is None


def test_residuals_are_measured_over_expected() -> None:
    assert History((HOURLY, Measurement("1h", 10_000, 60.0, 1))).residuals() == pytest.approx([0.5, 1.5])
