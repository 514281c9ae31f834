"""All that a night needs, looked at in one go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cli.local import coordinator_check, machine_check, objects_check, stack_check
from cli.local.candles_check import candles
from cli.local.coordinator_at_hand import of_out_folder
from cli.local.ports_check import port
from cli.local.requirement import Requirement, failed, ok
from common.errors import ConfigurationError
from common.objects.address import Place
from common.settings.night import load


@dataclass(frozen=True)
class Looked:
    """Where to look, and whether the containers are meant."""

    config: Path | None
    data: Place | None
    out: Path
    coordinator: coordinator_check.Wanted
    stack: bool


def requirements(looked: Looked) -> list[Requirement]:
    """Return each requirement with what was found, those of the machine first."""
    found = [machine_check.python(), machine_check.parts()]
    try:
        settings = load(looked.config)
    except ConfigurationError as error:
        # Without a configuration there is no grid to look at anything else for.
        variable = error.detail.startswith("environment")
        todo = "correct or unset the variable BT_NIGHT_..." if variable else "correct the file"
        return [*found, failed("configuration", error.detail, error.hint or todo)]
    if not settings.training:
        found.append(failed("configuration", "training is false", "set BT_NIGHT_TRAINING=true"))
    else:
        found.append(ok("configuration", str(looked.config or "the defaults")))
    of_candles = candles(settings, looked.data, looked.out)
    found += [
        machine_check.cores(),
        machine_check.memory(settings),
        machine_check.disk(looked.out, of_candles.cache_bytes, of_candles.basis),
        of_candles.requirement,
        machine_check.time_zone(settings),
        *objects_check.artifacts(settings),
    ]
    dashboard = settings.dashboard
    if not looked.stack:
        number = dashboard.port if dashboard.enabled else 0
        todo = "stop what has it, or take another one: --port, or dashboard.port"
        own = of_out_folder(looked.out)
        expected = looked.coordinator.needed or (own is not None and own.url.endswith(f":{number}"))
        found.append(port("coordinator", dashboard.host, number, todo, expected))
    found += coordinator_check.coordinator(looked.coordinator)
    if looked.stack:
        found += stack_check.stack(Path.cwd())
    return found
