"""How many trainers of what size fit a machine, and why."""

from __future__ import annotations

import pytest

from cli.local.fit import Machine, fitting, too_many
from common.settings.night import GIBIBYTE, NightSettings
from common.settings.sections import Parallelism

SETTINGS = NightSettings(
    max_memory_per_process=2.0, memory_threshold=0.8, parallelism=Parallelism(adaptive=False)
)
ADAPTIVE = SETTINGS.model_copy(update={"parallelism": Parallelism(adaptive=True)})


@pytest.mark.parametrize(
    ("cores", "available", "peak", "memory", "workers", "why"),
    [
        (8, 64, None, 2.0, 7, "8 cores, of which one stays free for the coordinator"),
        (8, 10, None, 2.0, 4, "80% of 10.0 GiB bear 4 of 2 GiB each"),
        (1, 64, None, 2.0, 1, "1 core, so one"),
        (8, 10, 0.4, 0.6, 7, "8 cores, of which one stays free for the coordinator"),
        (4, 2, None, 1.6, 1, "80% of 2.0 GiB bear 1 of 1.6 GiB each"),
        (4, 16, 0.1, 0.5, 3, "4 cores, of which one stays free for the coordinator"),
    ],
)
def test_what_fits(
    cores: float, available: float, peak: float | None, memory: float, workers: int, why: str
) -> None:
    machine = Machine(cores, int(available * GIBIBYTE))
    of_memory, of_workers = fitting(SETTINGS, machine, None if peak is None else int(peak * GIBIBYTE))
    assert (of_memory.key, of_memory.value) == ("max_memory_per_process", memory)
    assert (of_workers.key, of_workers.value, of_workers.why) == ("num_workers", workers, why)


def test_where_the_coordinator_decides_how_many_work_no_core_is_left_out() -> None:
    _, of_workers = fitting(ADAPTIVE, Machine(2, 64 * GIBIBYTE), None)
    assert (of_workers.value, of_workers.why) == (2, "2 cores, one for each, as auto starts")
    _, words = too_many(3, ADAPTIVE, Machine(2, 64 * GIBIBYTE))
    assert words.endswith("and it bears 2")


def test_the_reason_names_what_was_measured() -> None:
    of_memory, _ = fitting(SETTINGS, Machine(4, 16 * GIBIBYTE), GIBIBYTE)
    assert of_memory.value == 1.5
    assert of_memory.why.startswith("the hungriest job of earlier nights took 1.00 GiB")


@pytest.mark.parametrize(
    ("count", "cores", "gib", "impossible", "why"),
    [
        (1, 1, 1, False, ""),
        (4, 4, 16, False, ""),
        (5, 4, 64, False, "they wait for each other, and it bears 3"),
        (4, 8, 8, False, "they wait for each other, and it bears 3"),
        (
            99,
            2,
            8,
            True,
            "2 cores and 8.0 GiB of free memory: they would take more than that without any job",
        ),
    ],
)
def test_too_many_trainers_are_told_with_why(
    count: int, cores: float, gib: float, impossible: bool, why: str
) -> None:
    found, words = too_many(count, SETTINGS, Machine(cores, int(gib * GIBIBYTE)))
    assert found is impossible
    assert why in words and bool(words) is bool(why)
