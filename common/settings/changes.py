"""What differs between two configurations, and when each difference may be taken up: pure decisions.

A job is decided on anew at each claim, so that what only steers claims can change between two jobs. What
decides the results belongs to the night that was begun with it. What a process holds open changes with its
restart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from common.settings.night import NightSettings

SHOWN = 60
"""Characters of a value that a sentence shows."""

UNTOLD = "database_url"
"""It may hold a password, so that its value is never told."""


class TakenUp(StrEnum):
    """When a changed setting is in force, in words."""

    BETWEEN_JOBS = "from the next job on"
    TRAINERS = "as trainers are started anew between two jobs"
    NEXT_NIGHT = "at the next night"
    RESTART = "after a restart"


TAKEN_UP: dict[str, TakenUp] = {
    "dashboard.external_url": TakenUp.BETWEEN_JOBS,
    "training": TakenUp.BETWEEN_JOBS,
    "window": TakenUp.BETWEEN_JOBS,
    "memory_threshold": TakenUp.BETWEEN_JOBS,
    "max_memory_alone": TakenUp.BETWEEN_JOBS,
    "parallelism": TakenUp.BETWEEN_JOBS,
    "retry": TakenUp.BETWEEN_JOBS,
    "breaker": TakenUp.BETWEEN_JOBS,
    "deadline": TakenUp.BETWEEN_JOBS,
    "max_wait_seconds": TakenUp.BETWEEN_JOBS,
    "num_workers": TakenUp.TRAINERS,
    "max_memory_per_process": TakenUp.TRAINERS,
    "max_cache": TakenUp.TRAINERS,
    "symbols": TakenUp.NEXT_NIGHT,
    "timeframes": TakenUp.NEXT_NIGHT,
    "horizons": TakenUp.NEXT_NIGHT,
    "label": TakenUp.NEXT_NIGHT,
    "n_splits": TakenUp.NEXT_NIGHT,
    "embargo_minutes": TakenUp.NEXT_NIGHT,
    "promote_if": TakenUp.NEXT_NIGHT,
    "false_discovery_rate": TakenUp.NEXT_NIGHT,
    "champion": TakenUp.NEXT_NIGHT,
    "model": TakenUp.NEXT_NIGHT,
    "data": TakenUp.NEXT_NIGHT,
    # Trainers learn at their start how often to renew: a shorter lease would end under a running job.
    "lease": TakenUp.RESTART,
    "dashboard": TakenUp.RESTART,
    "database_url": TakenUp.RESTART,
    "artifacts": TakenUp.RESTART,
}
"""Each key, or section with all that is below it; a key in a section goes before the section."""


def taken_up(key: str) -> TakenUp:
    """Return when a setting is taken up, by its dotted key.

    Raises
    ------
    KeyError
        There is no such setting.
    """
    return TAKEN_UP[key] if key in TAKEN_UP else TAKEN_UP[key.split(".", maxsplit=1)[0]]


@dataclass(frozen=True)
class Change:
    """A setting that differs: its dotted key, its two values as plain JSON, and when it is taken up."""

    key: str
    before: Any
    after: Any

    @property
    def taken_up(self) -> TakenUp:
        """When the new value is in force."""
        return taken_up(self.key)

    @property
    def words(self) -> str:
        """The change without its moment: ``retry.error from 3 to 5``."""
        if self.key == UNTOLD:
            return f"{self.key} to another address"
        return f"{self.key} from {_shown(self.before)} to {_shown(self.after)}"


def differences(before: NightSettings, after: NightSettings) -> tuple[Change, ...]:
    """Return what differs, in the order of the settings; a section that one of them lacks is one change."""
    return tuple(_differences(before.model_dump(mode="json"), after.model_dump(mode="json"), ()))


def in_force(present: NightSettings, wanted: NightSettings, night_is_running: bool) -> NightSettings:
    """Return the settings that hold from now on.

    Parameters
    ----------
    present : NightSettings
        Those that held until now.
    wanted : NightSettings
        Those of the changed configuration.
    night_is_running : bool
        Whether a night is unfinished: what decides its results waits for its end.
    """
    taken = {TakenUp.BETWEEN_JOBS, TakenUp.TRAINERS} | (set() if night_is_running else {TakenUp.NEXT_NIGHT})
    update = {key: getattr(wanted, key) for key in NightSettings.model_fields if TAKEN_UP[key] in taken}
    dashboard = present.dashboard.model_copy(update={"external_url": wanted.dashboard.external_url})
    return present.model_copy(update={**update, "dashboard": dashboard})


def sentence(changes: tuple[Change, ...]) -> str:
    """Return the changes in one line, grouped by when they are taken up."""
    groups = []
    for moment in TakenUp:
        words = [change.words for change in changes if change.taken_up is moment]
        if words:
            groups.append(f"{moment}: {', '.join(words)}")
    return "; ".join(groups)


def _differences(before: Any, after: Any, above: tuple[str, ...]) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict) and above != ("data", "columns"):
        for key in {**before, **after}:
            yield from _differences(before.get(key), after.get(key), (*above, str(key)))
    elif before != after:
        yield Change(".".join(above), before, after)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        text = f"[{', '.join(_shown(one) for one in value)}]"
    elif isinstance(value, bool):
        text = "true" if value else "false"
    else:
        text = "none" if value is None or value == "" else str(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
