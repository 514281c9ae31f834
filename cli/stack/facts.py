"""What the shell says of this machine: the engine, what Compose makes of the files, and the environment.

A container sees none of that by itself. The shell gives it on standard input: what ``docker info`` and
``docker compose config`` say as JSON, one after the other, then the variables of the environment that
concern the stack, one a line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.errors import ConfigurationError

MEBIBYTE = 1024**2

OLDER_NAMES = {
    "BT_NIGHT_WORKERS": "TRAINERS",
    "BT_NIGHT_MEMORY_LIMIT": "TRAINER_MEMORY",
    "BT_NIGHT_DASHBOARD_PORT": "DASHBOARD_PORT",
}
"""Settings of the night that the stack follows too, each with the stack's own name for the same."""

OF_THE_STACK = ("BT_NIGHT_TRAINING", *OLDER_NAMES)
"""Settings of the night that may stand in the environment; others reach the containers from `.env` alone."""


@dataclass(frozen=True)
class Engine:
    """The Docker engine.

    `rootless`: it runs as the user, who is root in its containers. `desktop`: Docker Desktop, where files of
    the host belong to whoever asks. `selinux`: it labels containers. `remapped`: root of a container is
    nobody outside (userns-remap).
    """

    cores: int
    memory_mib: int
    rootless: bool = False
    desktop: bool = False
    selinux: bool = False
    remapped: bool = False
    limits_memory: bool = True
    limits_cpu: bool = True


@dataclass(frozen=True)
class Composition:
    """Where Compose finds things, as paths of the host; `dotenv` is `.env` as Compose reads it."""

    root: str
    candles: str
    config: str
    dotenv: Mapping[str, str]


@dataclass(frozen=True)
class Facts:
    """All of it; `given` are the variables of the environment, none of them empty."""

    engine: Engine
    composition: Composition
    given: Mapping[str, str]

    def value(self, key: str, otherwise: str = "") -> str:
        """Return what is in force: the environment, else `.env`, where an empty value counts as not set."""
        return self.given.get(key) or self.composition.dotenv.get(key) or otherwise

    def asks(self, older: str) -> bool:
        """Whether an older name decides: not if it is from `.env` and the newer from the environment."""
        return bool(self.value(older)) and (older in self.given or OLDER_NAMES[older] not in self.given)

    @property
    def night(self) -> dict[str, str]:
        """The settings of the night that are in force besides the configuration."""
        names = {*self.composition.dotenv, *self.given}
        settings = {name: self.value(name) for name in sorted(names) if name.startswith("BT_NIGHT_")}
        return {name: value for name, value in settings.items() if value}


def read_facts(text: str, environment: Mapping[str, str]) -> Facts:
    """Return what the shell said.

    Parameters
    ----------
    text : str
        The two JSON documents and the lines behind them.
    environment : mapping
        The environment of this container, which has the values of `.env`.

    Raises
    ------
    ConfigurationError
        It is not understood.
    """
    decoder = json.JSONDecoder()
    try:
        info, end = decoder.raw_decode(text.lstrip("\ufeff \r\n"))
        rest = text.lstrip("\ufeff \r\n")[end:].lstrip()
        config, end = decoder.raw_decode(rest)
        return Facts(_engine(info), _composition(config, environment), _given(rest[end:]))
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"what docker says is not understood: {error}", "run it by make, which asks docker"
        ) from error


def _engine(info: dict[str, Any]) -> Engine:
    options = {option.split(",")[0] for option in info.get("SecurityOptions") or []}
    return Engine(
        cores=int(info["NCPU"]),
        memory_mib=int(info["MemTotal"]) // MEBIBYTE,
        rootless="name=rootless" in options,
        desktop=info.get("OperatingSystem") == "Docker Desktop",
        selinux="name=selinux" in options,
        remapped="name=userns" in options,
        limits_memory=bool(info.get("MemoryLimit", True)),
        limits_cpu=bool(info.get("CpuCfsQuota", True)) and bool(info.get("CpuCfsPeriod", True)),
    )


def _composition(config: dict[str, Any], environment: Mapping[str, str]) -> Composition:
    service = config["services"]["stack"]
    sources = {volume["target"]: volume["source"] for volume in service["volumes"]}
    names = service.get("environment") or {}
    return Composition(
        root=sources["/checkout"],
        candles=sources["/candles/chosen"],
        config=config["configs"]["night_training"]["file"],
        dotenv={name: environment.get(name, "") for name in names},
    )


def _given(lines: str) -> dict[str, str]:
    given = {}
    for line in lines.splitlines():
        name, separator, value = line.partition("=")
        if separator and value:
            given[name] = value
    return given
