from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.protocol.jobs import JobKind
from common.protocol.trainers import LimitKind, NoWork
from coordinator.policy.admission import (
    Candidate,
    Choice,
    Host,
    Refusal,
    Seat,
    Terms,
    builders_last,
    choose,
    keeps,
    ranked,
    roomless,
    standing,
)
from coordinator.policy.breaker import Gate
from tests.coordinator.specimens import GIB, NOON

IDLE = Host("a", 16 * GIB, 12 * GIB, agent=True)


def job(job_id: int, **changes: Any) -> Candidate:
    plain = Candidate(
        job_id=job_id,
        kind=JobKind.TRAINING,
        symbol="BTCUSDT",
        ordinal=job_id,
        volume=1.0,
        waiting_since=NOON,
        not_before=None,
        oom_room_bytes=None,
        seconds=10.0,
        peak_bytes=None,
        rows=1000,
        gate=Gate.CLOSED,
        symbol_busy=False,
    )
    return replace(plain, **changes)


def seat(host: Host = IDLE, limit: int = 2 * GIB, kind: LimitKind = LimitKind.AGENT, last: str = "") -> Seat:
    return Seat(kind, limit, last, host)


def terms(
    *hosts: Host, limits: tuple[int, ...] = (2 * GIB,), after: float = 0.0, most_alone: int = 64 * GIB
) -> Terms:
    present = {host.name: host for host in hosts or (IDLE,)}
    return Terms(NOON + timedelta(seconds=after), 900.0, 0.85, limits, present, most_alone)


def chosen(*jobs: Candidate, at: Seat | None = None, by: Terms | None = None) -> Choice:
    choice = choose(jobs, at or seat(), by or terms())
    assert isinstance(choice, Choice), choice
    return choice


def refused(*jobs: Candidate, at: Seat | None = None, by: Terms | None = None) -> Refusal:
    refusal = choose(jobs, at or seat(), by or terms())
    assert isinstance(refusal, Refusal), refusal
    return refusal


def ago(seconds: float) -> Any:
    return NOON - timedelta(seconds=seconds)


# --- Order --------------------------------------------------------------------------------------------------

JOBS = st.lists(
    st.builds(
        lambda building, volume, symbol, since, seconds, wanted, shed, kind: job(
            0,
            building=building,
            volume=volume,
            symbol=symbol,
            waiting_since=NOON - timedelta(seconds=since),
            seconds=seconds,
            wanted_next=NOON if wanted else None,
            shed=shed,
            kind=kind,
        ),
        st.booleans(),
        st.sampled_from([1.0, 2.0]),
        st.sampled_from(["BTCUSDT", "ETHUSDT"]),
        st.sampled_from([0, 1000, 2000]),
        st.sampled_from([1.0, 5.0, None]),
        st.booleans(),
        st.booleans(),
        st.sampled_from(JobKind),
    ),
    max_size=12,
).map(lambda jobs: [replace(one, job_id=number, ordinal=number) for number, one in enumerate(jobs)])


@given(JOBS, st.sampled_from(["", "BTCUSDT"]))
def test_jobs_of_a_matrix_that_is_being_built_come_last_among_those_of_their_standing_and_no_later(
    jobs, last
) -> None:
    def rank(one: Candidate) -> Any:
        return standing(one, last, terms())

    line = ranked(jobs, last, terms())
    moved = list(builders_last(line, last, terms()))
    assert sorted(one.job_id for one in moved) == sorted(one.job_id for one in line)
    assert [rank(one) for one in moved] == [rank(one) for one in line]
    assert moved == sorted(line, key=lambda one: (rank(one), one.building))


@given(JOBS)
def test_what_is_being_built_keeps_no_job_from_a_seat(jobs) -> None:
    plain = choose([replace(one, building=False) for one in jobs], seat(), terms())
    assert type(choose(jobs, seat(), terms())) is type(plain)


def test_a_trainer_gets_another_timeframe_while_the_matrix_is_being_built_and_waits_where_there_is_none() -> (
    None
):
    same, other = job(1, seconds=9.0, building=True), job(2, seconds=1.0)
    assert chosen(same, other).job_id == 2
    assert chosen(same, replace(other, building=True)).job_id == 1
    assert chosen(same, replace(other, volume=0.5)).job_id == 1
    assert chosen(replace(same, wanted_next=NOON), other).job_id == 1
    assert chosen(replace(same, waiting_since=ago(1000)), other).job_id == 1


def test_no_more_of_a_line_is_read_ahead_than_jobs_that_wait_for_a_matrix() -> None:
    jobs = [job(1, building=True), job(2), job(3)]
    line = iter(jobs)
    assert next(builders_last(line, "", terms())) == jobs[1]
    assert next(line) == jobs[2]


def test_each_rule_of_the_order_beats_all_that_follow_it() -> None:
    overdue = job(1, waiting_since=ago(1000), seconds=1.0, volume=0.0)
    probe = job(2, symbol="ADAUSDT", gate=Gate.PROBATION, seconds=1.0, volume=0.0)
    near = job(3, symbol="ETHUSDT", volume=1.0, seconds=1.0)
    survey = job(4, kind=JobKind.SURVEY, symbol="XRPUSDT", volume=0.0, seconds=1.0)
    traded = job(5, symbol="SOLUSDT", volume=9.0, seconds=1.0)
    long = job(6, volume=1.0, seconds=99.0)
    first = job(7)
    second = job(8)
    order = [overdue, probe, survey, near, traded, long, first, second]
    for rank, expected in enumerate(order):
        assert chosen(*reversed(order[rank:]), at=seat(last="ETHUSDT")).job_id == expected.job_id


def test_among_overdue_jobs_the_longest_wait_wins() -> None:
    jobs = [job(1, waiting_since=ago(1000)), job(2, waiting_since=ago(2000)), job(3, waiting_since=ago(1500))]
    assert chosen(*jobs).job_id == 2


def test_an_unmeasured_job_is_ranked_by_its_rows() -> None:
    assert chosen(job(1, seconds=None, rows=1_000), job(2, seconds=None, rows=500_000)).job_id == 2


# --- What keeps a job back ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kept", "reason", "words"),
    [
        (job(1, waiting_since=None), NoWork.WAITING, "survey of BTCUSDT"),
        (job(1, not_before=ago(-12)), NoWork.WAITING, "waits 12 s"),
        (job(1, gate=Gate.PARKED), NoWork.SYMBOL_PARKED, "is parked"),
        (job(1, gate=Gate.PROBATION, symbol_busy=True), NoWork.SYMBOL_PARKED, "one job of it is tried first"),
    ],
)
def test_a_job_that_must_wait_is_passed_over_and_says_why(
    kept: Candidate, reason: NoWork, words: str
) -> None:
    assert refused(kept).reason is reason
    assert words in refused(kept).words
    assert chosen(kept, job(2, volume=0.0)).job_id == 2


def test_an_empty_queue_says_so() -> None:
    assert refused().reason is NoWork.EMPTY


def test_a_host_above_the_threshold_gets_nothing_whoever_uses_its_memory() -> None:
    ours = Host("a", 16 * GIB, 1 * GIB, own_bytes=14 * GIB, agent=True)
    foreign = replace(ours, own_bytes=0)
    assert refused(job(1), at=seat(ours)).reason is NoWork.MEMORY_PRESSURE
    assert "Nighttrain" not in refused(job(1), at=seat(ours)).words
    assert "not for Nighttrain's jobs" in refused(job(1), at=seat(foreign)).words


# --- A prediction steers ------------------------------------------------------------------------------------


def test_a_job_expected_to_be_too_large_is_left_to_a_larger_trainer() -> None:
    large = job(1, peak_bytes=3 * GIB)
    both = terms(limits=(2 * GIB, 4 * GIB))
    assert refused(large, by=both).reason is NoWork.TOO_LARGE
    assert chosen(large, at=seat(limit=4 * GIB), by=both).job_id == 1


def test_a_job_expected_to_be_too_large_for_all_is_tried_all_the_same() -> None:
    assert chosen(job(1, peak_bytes=3 * GIB)) == Choice(1, 2 * GIB, alone=False)


# --- An out-of-memory proves --------------------------------------------------------------------------------

HURT = job(1, oom_room_bytes=2 * GIB)


def test_after_an_oom_the_job_runs_on_a_larger_trainer_or_alone_in_a_larger_room() -> None:
    assert chosen(HURT, at=seat(limit=3 * GIB)) == Choice(1, 3 * GIB, alone=False)
    assert chosen(HURT) == Choice(1, int(12 * GIB * 0.85), alone=True)


def test_a_job_alone_gets_no_more_than_the_maximum_that_the_user_set() -> None:
    assert chosen(HURT, by=terms(most_alone=6 * GIB)) == Choice(1, 6 * GIB, alone=True)
    least = terms(most_alone=2 * GIB)
    assert refused(HURT, by=least).reason is NoWork.NEEDS_LONE_ROOM
    assert roomless(HURT, least) == (
        "ran out of memory in 2.00 GiB, and no trainer has more room: max_memory_alone gives a job at most "
        "2.00 GiB; raise it, or max_memory_per_process, then start the night again"
    )


def test_a_survey_is_never_tried_again_in_the_memory_of_its_whole_host() -> None:
    survey = replace(HURT, kind=JobKind.SURVEY)
    assert refused(survey).reason is NoWork.TOO_LARGE
    assert chosen(survey, at=seat(limit=3 * GIB)) == Choice(1, 3 * GIB, alone=False)
    late = terms(replace(IDLE, leases=1), after=1000)
    assert not keeps(survey, replace(IDLE, leases=1), late)
    assert "the largest has 2.00 GiB; raise max_memory_per_process" in roomless(survey, terms())


def test_a_control_group_cannot_be_outgrown() -> None:
    assert refused(HURT, at=seat(kind=LimitKind.CGROUP)).reason is NoWork.TOO_LARGE


def test_a_lone_job_waits_for_an_idle_host_and_others_go_on_meanwhile() -> None:
    busy = replace(IDLE, leases=1)
    assert refused(HURT, at=seat(busy)).reason is NoWork.NEEDS_LONE_ROOM
    assert chosen(HURT, job(2), at=seat(busy)).job_id == 2


def test_nothing_joins_a_lone_job() -> None:
    assert refused(job(2), at=seat(replace(IDLE, leases=1, lone=True))).reason is NoWork.NEEDS_LONE_ROOM


def test_an_overdue_lone_job_empties_the_host_with_most_room_and_no_other() -> None:
    large, small = replace(IDLE, leases=1), Host("b", 8 * GIB, 6 * GIB, leases=1, agent=True)
    late = terms(large, small, after=1000)
    assert refused(HURT, job(2), at=seat(large), by=late).reason is NoWork.NEEDS_LONE_ROOM
    assert chosen(HURT, job(2), at=seat(small), by=late).job_id == 2
    idle = replace(large, leases=0)
    assert chosen(HURT, job(2), at=seat(idle), by=terms(idle, small, after=1000)).alone


def test_memory_held_by_others_keeps_a_lone_job_waiting_but_not_the_rest() -> None:
    full = Host("a", 16 * GIB, int(2.3 * GIB), own_bytes=0, leases=1, agent=True)
    late = terms(full, after=1000)
    assert not keeps(HURT, full, late)
    assert (
        chosen(
            HURT, job(2), at=replace(seat(full), limit_bytes=2 * GIB), by=replace(late, threshold=0.86)
        ).job_id
        == 2
    )


def test_our_own_running_jobs_do_not_count_against_the_room_to_come() -> None:
    full = Host("a", 16 * GIB, int(2.5 * GIB), own_bytes=6 * GIB, leases=3, agent=True)
    assert keeps(HURT, full, terms(full, after=1000))


def test_a_host_is_not_emptied_where_a_larger_trainer_lives() -> None:
    assert not keeps(HURT, IDLE, terms(limits=(2 * GIB, 4 * GIB), after=1000))


def test_a_job_that_no_live_trainer_can_ever_take_is_given_up_in_words() -> None:
    tiny = Host("a", 2 * GIB, 2 * GIB, agent=True)
    assert "no trainer has more room: the largest has 2.00 GiB" in roomless(HURT, terms(tiny))
    fixed = replace(IDLE, agent=False)
    assert "no trainer has more room" in roomless(HURT, terms(fixed))
    assert roomless(HURT, terms(fixed, limits=(2 * GIB, 4 * GIB))) == ""
    assert roomless(HURT, terms(IDLE)) == ""
    assert roomless(job(1), terms(tiny)) == ""


def test_nothing_is_given_up_while_no_trainer_is_alive() -> None:
    assert roomless(HURT, Terms(NOON, 900.0, 0.85, (), {}, 64 * GIB)) == ""


def test_a_host_that_others_fill_gets_the_wait_bound_to_become_free() -> None:
    full = Host("a", 16 * GIB, 1 * GIB, agent=True)
    assert roomless(HURT, terms(full, after=900)) == ""
    assert "at most became free for it in 900 s" in roomless(HURT, terms(full, after=901))


# --- For all facts ------------------------------------------------------------------------------------------

gib = st.integers(1, 16).map(lambda count: count * GIB)
candidates = st.builds(
    job,
    st.integers(1, 10**6),
    kind=st.sampled_from(JobKind),
    symbol=st.sampled_from(["BTCUSDT", "ETHUSDT"]),
    volume=st.floats(0, 10),
    waiting_since=st.none() | st.floats(0, 2000).map(ago),
    not_before=st.none() | st.floats(-100, 100).map(ago),
    oom_room_bytes=st.none() | gib,
    seconds=st.none() | st.floats(1, 100),
    peak_bytes=st.none() | gib,
    gate=st.sampled_from(Gate),
    symbol_busy=st.booleans(),
)
hosts = st.builds(
    lambda total, free, own, leases, lone, agent: Host(
        "a", total, min(total, free), min(total, own) if leases else 0, leases, lone and leases == 1, agent
    ),
    gib,
    gib,
    gib,
    st.integers(0, 3),
    st.booleans(),
    st.just(True),
)


@given(
    st.lists(candidates, max_size=8, unique_by=lambda one: one.job_id), hosts, gib, st.sampled_from(LimitKind)
)
def test_whatever_the_facts_no_rule_is_broken(
    jobs: list[Candidate], host: Host, limit: int, kind: LimitKind
) -> None:
    at, by = seat(host, limit, kind), terms(host, limits=(limit,))
    choice = choose(jobs, at, by)
    if isinstance(choice, Refusal):
        free = [one for one in jobs if one.oom_room_bytes is None and one.waiting_since is not None]
        free = [one for one in free if one.not_before is None or one.not_before <= NOON]
        free = [one for one in free if one.kind is JobKind.SURVEY or one.gate is Gate.CLOSED]
        held_back = host.pressed(by.threshold) or host.lone or any(keeps(one, host, by) for one in jobs)
        assert held_back or not free
        return
    taken = next(one for one in jobs if one.job_id == choice.job_id)
    assert not host.pressed(by.threshold) and not host.lone
    assert taken.waiting_since is not None
    assert taken.not_before is None or taken.not_before <= NOON
    assert taken.kind is JobKind.SURVEY or taken.gate is not Gate.PARKED
    assert taken.oom_room_bytes is None or choice.room_bytes > taken.oom_room_bytes
    assert not choice.alone or (host.leases == 0 and kind is LimitKind.AGENT)
    assert not choice.alone or taken.kind is JobKind.TRAINING
    assert choice.alone or choice.room_bytes == limit


def test_what_is_left_for_the_next_night_goes_last_even_if_it_is_overdue_and_keeps_no_host() -> None:
    left = job(1, shed=True, waiting_since=ago(5000))
    assert chosen(left, job(2, volume=0.0)).job_id == 2
    assert chosen(left).job_id == 1
    wanted = job(3, shed=True, wanted_next=NOON)
    assert chosen(left, job(2), wanted).job_id == 3
    lone = replace(left, oom_room_bytes=3 * GIB)
    host = replace(IDLE, leases=1)
    assert keeps(replace(lone, shed=False), host, terms(host))
    assert not keeps(lone, host, terms(host))
