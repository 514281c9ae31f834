"""What would have made a night faster."""

from __future__ import annotations

import pytest

from coordinator.policy.speed import GapKind, Idle, Lane, Load, Piece, hints_of


def piece(
    start: float, end: float, name: str = "BTCUSDT_1h_H1", timeframe: str = "1h", cause: str = ""
) -> Piece:
    return Piece(name, timeframe, start, end, not cause, cause)


def load(*lanes: Lane, seconds: float = 1000, **facts: int) -> Load:
    return Load(seconds, lanes, **facts)


def test_one_long_job_at_the_end_is_named_with_what_it_cost() -> None:
    nothing = GapKind.NOTHING_LEFT
    found = hints_of(
        load(
            Lane((piece(0, 400), piece(400, 1000, "BTCUSDT_1m_H5")), ()),
            Lane((piece(0, 420),), (Idle(nothing, 420, 1000),)),
        )
    )
    assert [hint.seconds for hint in found] == [290]
    assert found[0].words == (
        "In the last 10 min 1 trainer had no job left, and waited for BTCUSDT_1m_H5, which began 10 min "
        "before the end and took 10 min."
    )


def test_waiting_for_surveys_is_not_taken_for_the_end() -> None:
    nothing = GapKind.NOTHING_LEFT
    found = hints_of(
        load(
            Lane((piece(0, 100, "survey of BTCUSDT", ""), piece(100, 600)), (Idle(nothing, 600, 1000),)),
            Lane((piece(100, 1000),), (Idle(nothing, 0, 100),)),
        )
    )
    assert [(hint.seconds, hint.words.partition(",")[0]) for hint in found] == [
        (200, "In the last 7 min 1 trainer had no job left"),
        (50, "2 min of trainer time passed while no job could begin"),
    ]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (GapKind.AWAY, "the coordinator was away"),
        (GapKind.CLOSED, "the window was closed"),
        (GapKind.HELD, "an operator had paused the night"),
        (GapKind.ABSENT, "trainers were not there"),
        (GapKind.INTERRUPTED, "trainers were stopped, restarted, silent"),
        (GapKind.ALONE, "a job had its host alone"),
    ],
)
def test_each_kind_of_gap_has_its_words_and_is_spread_over_all_trainers(kind: GapKind, words: str) -> None:
    [hint] = hints_of(
        load(
            Lane((piece(300, 1000),), (Idle(kind, 0, 300),)), Lane((piece(0, 700),), (Idle(kind, 700, 1000),))
        )
    )
    assert hint.seconds == 300
    assert words in hint.words and hint.advice


def test_jobs_that_fitted_no_memory_are_told_with_peak_and_room() -> None:
    lane = Lane((piece(0, 500),), (Idle(GapKind.UNFIT, 500, 1000),))
    [hint] = hints_of(load(lane, largest_peak_bytes=3 * 2**30, largest_room_bytes=2 * 2**30))
    assert hint.seconds == 500
    assert "The largest job took 3.0 GiB, the largest room was 2.0 GiB." in hint.words


def test_attempts_without_a_result_are_counted_by_cause() -> None:
    lane = Lane((piece(0, 100, cause="oom"), piece(100, 300, cause="oom"), piece(300, 400)), ())
    found = hints_of(load(lane))
    assert [(hint.seconds, hint.words) for hint in found] == [
        (300, "2 attempts that brought no result (oom) took 5 min, saved folds included.")
    ]


def test_a_night_that_is_bound_by_computing_says_so_and_names_the_heavy_timeframe() -> None:
    lane = Lane((piece(0, 700, timeframe="1m"), piece(700, 1000)), ())
    [hint] = hints_of(load(lane, lane))
    assert hint.seconds == pytest.approx(1000 - 2000 / 3)
    assert hint.words.endswith("bound by computing. 1m alone took 70% of it.")


def test_candles_that_were_read_anew_are_worth_a_line_only_then() -> None:
    lane = Lane((piece(0, 200, "survey of BTCUSDT", ""), piece(200, 400)), ())
    assert hints_of(load(lane)) == ()
    [hint] = hints_of(load(lane, surveys_read=1))
    assert (hint.seconds, hint.words) == (200, "Candles were read for 3 min, 1 symbol anew.")


def test_what_cost_less_than_a_hundredth_is_left_out_and_the_most_comes_first() -> None:
    lane = Lane(
        (piece(0, 500),),
        (Idle(GapKind.AWAY, 500, 509), Idle(GapKind.HELD, 509, 600), Idle(GapKind.CLOSED, 600, 1000)),
    )
    assert [hint.seconds for hint in hints_of(load(lane))] == [400, 91]
    assert hints_of(load()) == ()
