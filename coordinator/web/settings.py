"""The configuration in force, with the source of each value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query

from common.frozen import Frozen
from common.settings.changes import taken_up
from common.settings.night import DEFAULT, ENV_ALIASES, ENV_PREFIX, NightSettings
from common.settings.sources import Origin, origins
from coordinator.api.access import PartsOf
from coordinator.store.address import masked
from coordinator.web.rendering import Page
from coordinator.web.screens import Show, add_screen, page_router

router = page_router()

GIVEN = "finished settings"
"""The source of a value that was given to the coordinator without saying where it comes from."""


@dataclass(frozen=True)
class Setting:
    """A setting as it is shown.

    Its key, value, default and source, the variable that would change it, and when a change in the file is
    in force.
    """

    key: str
    value: str
    default: str
    source: str
    variable: str
    taken_up: str

    @property
    def differs(self) -> bool:
        """Whether its value is not the default."""
        return self.value != self.default


class SettingsQuery(Frozen):
    """Which settings are shown."""

    changed: bool = False
    """Only those whose value is not the default."""


def settings(parts: PartsOf, query: Annotated[SettingsQuery, Query()]) -> Show:
    """Show the configuration in force."""

    def show() -> Page:
        defaults = {one.key: one.value for one in values_of(NightSettings())}
        every = [
            _setting(one, defaults.get(one.key), parts.configuration.origins)
            for one in values_of(parts.settings)
        ]
        changed = [one for one in every if one.differs]
        content = {
            "settings": changed if query.changed else every,
            "only_changed": query.changed,
            "changed": len(changed),
            "total": len(every),
            "default": DEFAULT,
            "waiting": [f"{one.words} {one.taken_up}" for one in parts.configuration.waiting],
            "warnings": parts.configuration.warnings,
        }
        return Page("settings.html", "Settings", content)

    return show


add_screen(router, "/settings", settings)


def values_of(settings: NightSettings) -> list[Origin]:
    """Return all settings with their values, by dotted key."""
    return origins(settings.model_dump(mode="json"), (), DEFAULT)


def _setting(one: Origin, default: Any, told: Mapping[str, str]) -> Setting:
    known = {named: variable for variable, named in ENV_ALIASES.items()}
    variable = known.get(one.key, ENV_PREFIX + one.key.upper().replace(".", "__"))
    unknown = DEFAULT if one.value == default else GIVEN
    source = told.get(one.key, unknown)
    return Setting(one.key, shown(one.value), shown(default), source, variable, taken_up(one.key))


def shown(value: Any) -> str:
    """Return a value as it would be written in the file, without the secrets of an address."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(shown(one) for one in value)
    if value is None or value == "" or value == {}:
        return "none" if value is None else "empty"
    text = str(value)
    return masked(text) if "://" in text else text
