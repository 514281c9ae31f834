"""How many trainers this very machine is given."""

from __future__ import annotations

import psutil
import pytest

from cli.local.machine import trainer_count
from common.host import usable_cores
from common.settings.night import NightSettings
from common.settings.sections import Parallelism

SMALL = 0.1  # GiB, so that memory decides nothing


@pytest.mark.skipif(psutil.virtual_memory().available < 2**33, reason="memory would decide")
def test_auto_starts_from_the_cores_if_the_night_finds_the_best_number_and_else_leaves_one_free() -> None:
    cores = int(usable_cores())
    adaptive = NightSettings(max_memory_per_process=SMALL)
    assert trainer_count(adaptive) == max(1, cores)
    fixed = NightSettings(max_memory_per_process=SMALL, parallelism=Parallelism(adaptive=False))
    assert trainer_count(fixed) == max(1, cores - 1)


def test_a_number_that_is_asked_for_is_started_whatever_the_machine_is() -> None:
    assert trainer_count(NightSettings(num_workers=7)) == 7
