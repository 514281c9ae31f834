from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, delete, insert

from coordinator.queue import history as module
from coordinator.queue.history import (
    MANY_MEASUREMENTS,
    NEWEST_ATTEMPTS,
    RECENT_ATTEMPTS,
    SURVEY,
    History,
    Measurement,
    read_history,
    recent_history,
)
from coordinator.store.tables import measurements

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


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Connection]:
    """The table of measurements alone: the attempts that they are of make no difference."""
    engine = create_engine(f"sqlite:///{tmp_path}/measurements.db")
    measurements.create(engine)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def measure(table: Connection, numbers: Iterable[int]) -> None:
    """Keep measurements of attempts of these numbers, each of as many seconds."""
    shared = {"timeframe": "1h", "rows": 10, "peak_memory_bytes": 1}
    rows = [{"attempt_id": number, "seconds": float(number), **shared} for number in numbers]
    table.execute(insert(measurements), rows)


def seconds(table: Connection) -> list[int]:
    return [int(one.seconds) for one in read_history(table).measurements]


def test_each_new_measurement_is_known_at_once_by_one_short_question(table: Connection) -> None:
    measure(table, range(1, RECENT_ATTEMPTS + 1))
    assert seconds(table) == list(range(1, RECENT_ATTEMPTS + 1))
    asked: list[str] = []
    table.connection.dbapi_connection.set_trace_callback(asked.append)  # type: ignore[union-attr]
    assert read_history(table) is read_history(table)
    measure(table, [RECENT_ATTEMPTS + 1])
    del asked[-1:]
    assert seconds(table) == list(range(2, RECENT_ATTEMPTS + 2))
    assert [f"LIMIT {NEWEST_ATTEMPTS} OFFSET 0" in one for one in asked] == [True] * 3


def test_an_attempt_that_ends_after_later_ones_is_counted(table: Connection) -> None:
    measure(table, [*range(1, 50), *range(51, 60)])
    assert 50 not in seconds(table)
    measure(table, [50])
    assert seconds(table) == list(range(1, 60))


def test_an_attempt_that_ends_long_after_later_ones_is_counted_in_seconds(
    table: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure(table, range(2, 60))
    before = read_history(table)
    measure(table, [1])
    assert read_history(table) is before
    monkeypatch.setattr(module, "WHOLE_SECONDS", 0.0)
    assert seconds(table) == list(range(1, 60))
    assert read_history(table) is read_history(table), "nothing is new"


def test_of_many_measurements_the_last_can_wait_a_moment(
    table: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLED_SECONDS", 1e9)
    measure(table, range(1, MANY_MEASUREMENTS))
    few = recent_history(table)
    measure(table, [MANY_MEASUREMENTS])
    many = recent_history(table)
    assert len(many.measurements) == len(few.measurements) + 1 == MANY_MEASUREMENTS
    measure(table, [MANY_MEASUREMENTS + 1])
    assert recent_history(table) is many
    monkeypatch.setattr(module, "SETTLED_SECONDS", 0.0)
    assert len(recent_history(table).measurements) == MANY_MEASUREMENTS + 1


def test_what_is_known_of_another_state_of_the_table_is_forgotten(table: Connection) -> None:
    measure(table, range(1, 200))
    assert len(seconds(table)) == 199
    table.execute(delete(measurements))
    assert seconds(table) == []
    measure(table, range(101, 131))
    assert seconds(table) == list(range(101, 131))
    measure(table, range(1_000, 1_100))
    assert seconds(table) == [*range(101, 131), *range(1_000, 1_100)]
