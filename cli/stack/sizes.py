"""How many trainers of what size fit a machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cli.stack.facts import Engine
from common.settings.night import NightSettings

RESERVED_MIB = 1700
"""The limits of all services but the trainers."""

LEAST_MIB = 512


@dataclass(frozen=True)
class Sizes:
    """What fits, and why; `wanted` trainers are asked for by the configuration, None for `auto`."""

    engine: Engine
    trainers: int
    trainer_mib: int
    by_cores: int
    by_memory: int
    wanted: int | None

    @property
    def memory(self) -> str:
        """The memory of a trainer as Compose writes it."""
        return f"{self.trainer_mib}m"

    @property
    def machine(self) -> str:
        """The machine in words."""
        return f"{self.engine.cores} cores, {self.engine.memory_mib} MiB"


def sizes_of(engine: Engine, settings: NightSettings) -> Sizes:
    """Return how many trainers fit, leaving a core and `RESERVED_MIB` to the rest of the stack."""
    asked_mib = int(settings.max_memory_per_process * 1024)
    usable_mib = int(engine.memory_mib * settings.memory_threshold - RESERVED_MIB)
    trainer_mib = max(LEAST_MIB, min(asked_mib, usable_mib))
    by_cores, by_memory = max(1, engine.cores - 1), max(0, usable_mib // trainer_mib)
    wanted = None if settings.num_workers == "auto" else settings.num_workers
    trainers = wanted if wanted is not None else max(1, min(by_cores, by_memory))
    return Sizes(engine, trainers, trainer_mib, by_cores, by_memory, wanted)


def explained(sizes: Sizes, written: str) -> Iterator[str]:
    """Yield why the sizes are what they are; `written`: the lines of `.env` that decide instead, if any."""
    yield f"This machine: {sizes.machine}."
    yield (
        f"One trainer may take {sizes.trainer_mib} MiB (max_memory_per_process, less only where the "
        "machine is small)."
    )
    yield (
        f"Cores allow {sizes.by_cores} trainers (all but one core), memory {sizes.by_memory} (below "
        f"memory_threshold, less {RESERVED_MIB} MiB for the rest)."
    )
    if sizes.wanted is not None:
        yield f"num_workers asks for {sizes.wanted}."
    yield f"So TRAINERS={sizes.trainers} and TRAINER_MEMORY={sizes.memory}."
    if written:
        yield f".env decides: {written} (delete these lines, and make up measures again)"
