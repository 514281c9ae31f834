"""How many trainers of a host may work: single decisions, and whole hours on simulated machines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from coordinator.policy.concurrency import LEAST_REST, SETTLE_SECONDS, Limit, Load, begin, look

NOW = datetime(2026, 3, 2, 22, 0, tzinfo=UTC)
LOOK_SECONDS = 2.0
CALM = Load(
    cores=4.0,
    present=5,
    working=4,
    busy_cores=4.0,
    memory_ratio=0.5,
    run_ratio=0.98,
    wait_ratio=0.02,
    cpu_wait=0.1,
    memory_wait=0.0,
)


def after(seconds: float, limit: Limit, load: Load, by_cores: bool = True) -> Limit:
    """Return the limit when a host has been looked at again and again for so long."""
    for number in range(1, int(seconds / LOOK_SECONDS) + 1):
        limit = look(limit, load, 0.85, by_cores, NOW + timedelta(seconds=LOOK_SECONDS * number))
    return limit


@dataclass
class Machine:
    """A machine whose processors are shared fairly among ready programs; each job takes some memory.

    `others` says how many programs of others compute at a second, `others_memory` which share of the memory
    they hold; `noise` is the standard deviation of each reading, relative for times and absolute for shares.
    """

    cores: float
    present: int
    demand: float = 1.0
    job_memory: float = 0.03
    noise: float = 0.0
    others: Callable[[float], float] = lambda second: 0.0
    others_memory: Callable[[float], float] = lambda second: 0.2

    def rate(self, trainers: int, second: float) -> float:
        """How many cores' worth of work so many trainers do."""
        wanted = trainers * self.demand
        return wanted * min(1.0, self.cores / max(1e-9, wanted + self.others(second)))

    def seen(self, limit: int, second: float, random: Random) -> Load:
        working = min(limit, self.present)
        ready = working * self.demand + self.others(second)
        served = min(1.0, self.cores / ready)

        def noisy(value: float) -> float:
            return max(0.0, value * (1.0 + random.gauss(0.0, self.noise)))

        run = noisy(self.demand * served)
        waiting = max(0.0, 1.0 - self.cores / ready)
        memory = self.others_memory(second) + working * self.job_memory + random.gauss(0.0, self.noise / 20)
        return Load(
            cores=self.cores,
            present=self.present,
            working=working,
            busy_cores=min(self.cores, min(ready, self.cores) * (1.0 + random.gauss(0.0, self.noise / 3))),
            memory_ratio=min(1.0, max(0.0, memory)),
            run_ratio=min(1.0, run),
            wait_ratio=min(1.0, noisy(self.demand * (1.0 - served))),
            cpu_wait=min(1.0, noisy(waiting)),
            memory_wait=max(0.0, random.gauss(0.0, self.noise / 20)),
        )

    def history(self, seconds: float, seed: int, limit: Limit | None = None) -> list[tuple[float, Limit]]:
        random = Random(seed)
        found = []
        for number in range(int(seconds / LOOK_SECONDS)):
            second = number * LOOK_SECONDS
            now = NOW + timedelta(seconds=second)
            if limit is None:
                limit = begin(self.seen(self.present, second, random), True, now)
            else:
                limit = look(limit, self.seen(limit.trainers, second, random), 0.85, True, now)
            found.append((second, limit))
        return found


def reversals(limits: list[Limit]) -> int:
    """How often a decrease follows an increase."""
    steps = [other.trainers - one.trainers for one, other in pairwise(limits)]
    steps = [step for step in steps if step]
    return sum(one > 0 > other for one, other in pairwise(steps))


def changes(history: list[tuple[float, Limit]]) -> int:
    return sum(one.trainers != other.trainers for (_, one), (_, other) in pairwise(history))


def test_a_host_begins_with_one_trainer_a_core_and_with_as_many_as_were_asked_for() -> None:
    assert begin(CALM, True, NOW).trainers == 4
    assert begin(replace(CALM, cores=0.5), True, NOW).trainers == 1
    asked = begin(CALM, False, NOW)
    assert asked.trainers == 5 and "asked for" in asked.reason


def test_memory_above_the_threshold_halves_the_number_and_says_why() -> None:
    cut = after(12.0, begin(CALM, True, NOW), replace(CALM, memory_ratio=0.91))
    assert cut.trainers == 2
    assert cut.reason == "91% of the memory was in use, more than 85%"


def test_programs_that_wait_for_memory_halve_the_number_also_where_one_was_asked_for() -> None:
    waiting = replace(CALM, memory_wait=0.24)
    assert after(12.0, begin(CALM, True, NOW), waiting).reason == "programs waited for memory 24% of the time"
    assert after(12.0, begin(CALM, False, NOW), waiting, by_cores=False).trainers == 2


def test_a_second_cut_waits_until_the_jobs_over_the_first_have_ended() -> None:
    full = replace(CALM, memory_ratio=0.91)
    assert after(60.0, begin(CALM, True, NOW), full).trainers == 2
    assert after(60.0, begin(CALM, True, NOW), replace(full, working=1)).trainers == 1


def test_after_a_cut_it_returns_one_by_one_and_only_with_room_in_memory() -> None:
    cut = after(12.0, begin(CALM, True, NOW), replace(CALM, memory_ratio=0.91))
    here = replace(CALM, working=2)
    later = [cut]
    for number in range(1, 60):
        moment = NOW + timedelta(seconds=12 + LOOK_SECONDS * number)
        later.append(look(later[-1], here, 0.85, True, moment))
    moments = [(one.changed - cut.changed).total_seconds() for one in later]
    assert [one.trainers for one in later][-1] == 4
    assert sorted(set(moments))[1] >= LEAST_REST and sorted(set(moments))[2] >= LEAST_REST + SETTLE_SECONDS
    nearly = replace(here, memory_ratio=0.82)
    assert after(300.0, cut, nearly).trainers == 2


def test_jobs_that_take_processors_from_each_other_are_cut_to_what_does_the_same() -> None:
    crowded = replace(CALM, cores=2.0, busy_cores=2.0, run_ratio=0.5, wait_ratio=0.5, cpu_wait=0.9)
    limit = replace(begin(crowded, True, NOW), trainers=4, raised=True)
    cut = after(30.0, limit, crowded)
    assert cut.trainers == 2
    assert cut.reason == "2 do as much as 4 did: they shared 2 cores"
    assert after(30.0, limit, replace(crowded, cpu_wait=0.05)).trainers == 4
    assert after(30.0, limit, replace(crowded, cpu_wait=None, load_average=1.0)).trainers == 4
    assert after(30.0, limit, replace(crowded, cpu_wait=None, load_average=6.0)).trainers == 2


def test_a_number_that_was_asked_for_is_not_cut_for_processors() -> None:
    crowded = replace(CALM, cores=2.0, busy_cores=2.0, run_ratio=0.5, wait_ratio=0.5, cpu_wait=0.9, present=4)
    assert after(120.0, begin(crowded, False, NOW), crowded, by_cores=False).trainers == 4


def test_others_that_compute_take_no_trainer_away_up_to_the_number_of_cores() -> None:
    shared = replace(CALM, run_ratio=0.5, wait_ratio=0.5, cpu_wait=0.95)
    assert after(600.0, begin(CALM, True, NOW), shared).trainers == 4


def test_a_shared_quota_that_holds_the_jobs_back_cuts_although_the_host_is_idle() -> None:
    held = replace(CALM, run_ratio=0.5, wait_ratio=0.5, busy_cores=2.0, cpu_wait=0.0, throttled=True)
    cut = after(30.0, begin(CALM, True, NOW), held)
    assert cut.trainers == 2 and "quota" in cut.reason


def test_idle_cores_while_all_work_are_worth_one_more_and_no_two() -> None:
    waiting = replace(CALM, busy_cores=2.4, run_ratio=0.6, wait_ratio=0.0)
    more = after(60.0, begin(CALM, True, NOW), waiting)
    assert more.trainers == 5
    assert more.reason == "1.6 cores were idle while 4 worked"
    assert after(600.0, more, replace(waiting, working=4)).trainers == 5


@pytest.mark.parametrize("cores", [1.0, 2.0, 4.0, 16.0])
@pytest.mark.parametrize("seed", range(5))
def test_on_a_noisy_machine_the_number_hardly_changes_and_the_work_is_nearly_the_best(
    cores: float, seed: int
) -> None:
    machine = Machine(cores, present=int(cores) + 2, noise=0.3)
    history = machine.history(3600.0, seed)
    assert changes(history) <= 4
    best = max(machine.rate(number, 0.0) for number in range(1, machine.present + 1))
    done = sum(machine.rate(min(one.trainers, machine.present), 0.0) for _, one in history) / len(history)
    assert done >= 0.9 * best


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    cores=st.integers(1, 32),
    extra=st.integers(0, 8),
    programs=st.floats(0.0, 8.0),
    period=st.floats(20.0, 1200.0),
    demand=st.floats(0.3, 1.0),
    seed=st.integers(0, 2**31),
)
def test_others_that_come_and_go_make_no_oscillation_and_cost_little(
    cores: int, extra: int, programs: float, period: float, demand: float, seed: int
) -> None:
    def others(second: float) -> float:
        return programs if second % period < period / 2 else 0.0

    machine = Machine(float(cores), cores + extra, demand=demand, job_memory=0.01, noise=0.2, others=others)
    history = machine.history(3600.0, seed)
    # A decrease that undoes an increase doubles the rest; without that there is one a minute or so.
    late = [one for second, one in history if second >= 900.0]
    assert reversals(late) <= 2700.0 / 240.0
    settled = history[len(history) // 3 :]
    done = sum(machine.rate(min(one.trainers, machine.present), second) for second, one in settled)
    usual = sum(machine.rate(min(cores, machine.present), second) for second, _ in settled)
    assert done >= 0.9 * usual


@hypothesis_settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), cores=st.integers(1, 32))
def test_whatever_is_seen_the_number_stays_in_its_bounds_and_changes_seldom(seed: int, cores: int) -> None:
    random = Random(seed)
    limit = None
    present = random.randint(1, 40)
    seen = []
    for number in range(1800):
        load = Load(
            cores=float(cores),
            present=present,
            working=random.randint(0, present),
            busy_cores=random.uniform(0, cores),
            memory_ratio=random.choice([0.3, 0.99]),
            run_ratio=random.choice([None, random.random()]),
            wait_ratio=random.choice([None, random.random()]),
            cpu_wait=random.choice([None, random.random()]),
            memory_wait=random.choice([None, random.random()]),
            load_average=random.choice([None, random.uniform(0, 99)]),
            throttled=random.random() < 0.3,
        )
        now = NOW + timedelta(seconds=LOOK_SECONDS * number)
        limit = begin(load, True, now) if limit is None else look(limit, load, 0.85, True, now)
        assert 1 <= limit.trainers <= max(cores, present + 1)
        seen.append((LOOK_SECONDS * number, limit))
    # The rest after a decrease doubles up to eight minutes.
    last = [one for one in seen if one[0] >= 1800.0]
    ups = sum(other.trainers > one.trainers for (_, one), (_, other) in pairwise(last))
    assert ups <= 1800.0 / LEAST_REST / 4


def test_memory_that_others_take_again_and_again_is_tried_ever_more_seldom() -> None:
    machine = Machine(4.0, 4, others_memory=lambda second: 0.5 if second % 40 < 20 else 0.9, noise=0.1)
    history = machine.history(7200.0, 1)
    first = changes([one for one in history if one[0] < 1800.0])
    last = changes([one for one in history if one[0] >= 5400.0])
    assert last <= max(4, first)
    assert all(one.trainers <= 2 for second, one in history if second > 60)
