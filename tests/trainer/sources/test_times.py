import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.sources.times import NO_TIME, epoch_ms, milliseconds, times_of

MOMENT = 1_672_531_200_123  # 2023-01-01 00:00:00.123 UTC
LATEST = 4_102_444_800_000  # 2100


@given(st.lists(st.tuples(st.integers(10**11, LATEST), st.sampled_from([0, 1, 2, 3])), min_size=1))
def test_each_number_is_read_in_its_own_unit(written):
    scaled = {0: lambda ms: ms // 1000, 1: lambda ms: ms, 2: lambda ms: ms * 1000, 3: lambda ms: ms * 10**6}
    numbers = np.array([scaled[unit](ms) for ms, unit in written], dtype=np.int64)
    times, units = milliseconds(numbers)
    assert times.tolist() == [ms // 1000 * 1000 if unit == 0 else ms for ms, unit in written]
    assert len(units) == len({unit for _, unit in written})


def test_parts_of_a_second_survive_as_floats():
    times, units = milliseconds(np.array([MOMENT / 1000, float(MOMENT), np.nan]))
    assert times.tolist() == [MOMENT, MOMENT, NO_TIME]
    assert units == {"seconds", "milliseconds"}


def test_a_nanosecond_does_not_round_up():
    last = 1_672_531_199_999_999_999
    assert milliseconds(np.array([last]))[0].tolist() == [1_672_531_199_999]


@pytest.mark.parametrize("number", [0, -1, 5, 99_999_999, 20230101])
def test_what_is_no_moment_is_no_time(number):
    assert milliseconds(np.array([number]))[0].tolist() == [NO_TIME]


@pytest.mark.parametrize(
    "text",
    [
        "2023-01-01 00:00:00.123",
        "2023-01-01T00:00:00.123Z",
        "2023-01-01 00:00:00.123 UTC",
        "2022-12-31 20:00:00.123-04:00",
        "2023-01-01 05:30:00.123+0530",
        str(MOMENT),
        f" {MOMENT}000 ",
    ],
)
def test_text_with_and_without_an_offset(text):
    assert epoch_ms(pa.chunked_array([[text, "2023-01-01", "soon", None]])).tolist() == [
        MOMENT,
        MOMENT - 123,
        NO_TIME,
        NO_TIME,
    ]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_timestamps_of_any_unit_and_zone(unit, zone):
    whole = {"s": MOMENT // 1000, "ms": MOMENT, "us": MOMENT * 1000, "ns": MOMENT * 10**6}[unit]
    column = pa.chunked_array([pa.array([whole, None], pa.timestamp(unit, zone))])
    assert epoch_ms(column).tolist() == [MOMENT // 1000 * 1000 if unit == "s" else MOMENT, NO_TIME]


@pytest.mark.parametrize("moment", [10**11 - 1, 10**14, 2**62, -MOMENT])
def test_a_timestamp_that_no_number_could_tell_is_no_time(moment):
    column = pa.chunked_array([pa.array([MOMENT, moment], pa.timestamp("ms"))])
    assert epoch_ms(column).tolist() == [MOMENT, NO_TIME]


def test_dates():
    column = pa.chunked_array([pa.array([datetime.date(2023, 1, 1), None])])
    assert epoch_ms(column).tolist() == [MOMENT - 123, NO_TIME]


@pytest.mark.parametrize(
    "texts",
    [
        ("1672531200123", "", "1672531200", "1672531200123.5", "999999999999999999999"),
        ("2023-01-01 00:00:00", " 2023-01-01 00:00:00.123Z", "", "2099-12-31 23:59:59Z"),
        ("2023-02-30 00:00:00", "2023-01-01 00:00:00"),
        ("2023-01-01 24:00:00", "2023-01-01 00:00:00"),
        ("1672531200123", "2023-01-01 00:00:00"),
        ("2023-01-01T00:00:00+02:00", "1850-01-01 00:00:00", "3000-01-01 00:00:00"),
        ("", ""),
        ("12345678", "BTCUSDT"),
        (),
    ],
)
def test_a_few_texts_are_read_as_a_column_of_them_is(texts):
    column = pa.chunked_array([pa.array(texts, pa.string())])
    assert times_of(texts).tolist() == epoch_ms(column).tolist()
