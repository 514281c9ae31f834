from datetime import UTC, datetime, timedelta

from trainer.candles.moments import milliseconds_of, moment_of


def test_moments_and_milliseconds_are_the_same_times():
    assert moment_of(1_640_995_200_001) == datetime(2022, 1, 1, 0, 0, 0, 1000, tzinfo=UTC)
    for milliseconds in (0, 1, 1_640_995_200_123, 4_102_444_799_999):
        assert milliseconds_of(moment_of(milliseconds)) == milliseconds
    assert milliseconds_of(moment_of(5) + timedelta(microseconds=999)) == 5
