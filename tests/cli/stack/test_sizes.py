"""How many trainers of what size."""

import pytest

from cli.stack.facts import Engine
from cli.stack.sizes import explained, sizes_of
from common.settings.night import NightSettings


@pytest.mark.parametrize(
    ("cores", "memory_mib", "settings", "trainers", "trainer_mib"),
    [
        (8, 16384, {}, 5, 2048),
        (4, 16384, {}, 3, 2048),
        (1, 16384, {}, 1, 2048),
        (8, 16384, {"num_workers": 3, "max_memory_per_process": 1.5}, 3, 1536),
        (8, 4096, {}, 1, 1781),
        (8, 2048, {}, 1, 512),
        (8, 16384, {"memory_threshold": 0.5}, 3, 2048),
    ],
)
def test_trainers_fit_the_cores_and_the_memory(cores, memory_mib, settings, trainers, trainer_mib):
    sizes = sizes_of(Engine(cores, memory_mib), NightSettings(**settings))
    assert (sizes.trainers, sizes.trainer_mib, sizes.memory) == (trainers, trainer_mib, f"{trainer_mib}m")


def test_the_explanation_gives_both_bounds_and_what_decides_instead():
    said = list(explained(sizes_of(Engine(8, 16384), NightSettings(num_workers=2)), "TRAINERS=7"))
    assert "Cores allow 7 trainers" in said[2] and "memory 5" in said[2]
    assert said[-3:-1] == ["num_workers asks for 2.", "So TRAINERS=2 and TRAINER_MEMORY=2048m."]
    assert said[-1].startswith(".env decides: TRAINERS=7 (")
