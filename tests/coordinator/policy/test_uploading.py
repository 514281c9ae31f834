from __future__ import annotations

from coordinator.policy.uploading import LONGEST_PAUSE_SECONDS, Standing, pause_seconds, standing_words


def test_a_store_that_is_away_is_asked_ever_more_seldom_but_at_least_each_minute() -> None:
    assert [pause_seconds(failures) for failures in (1, 2, 3, 4)] == [1, 2, 4, 8]
    assert pause_seconds(1_000_000) == LONGEST_PAUSE_SECONDS


def test_where_nothing_waits_it_is_said_where_all_is() -> None:
    assert standing_words(Standing(0, None, ""), "s3://nights/a") == "artifacts: all is in s3://nights/a"
