"""The configuration of a night: `deploy/night_training.yaml`, then `BT_NIGHT_*`, then the command line.

Everything is checked before anything starts; a mistake is one line that names the key, the value and what
would be right.
"""

from __future__ import annotations

import copy
import difflib
import os
from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from common.errors import ConfigurationError
from common.jobs import SECONDS, SurveyPolicy

ENV_PREFIX = "BT_NIGHT_"
ENV_ALIASES = {
    "BT_NIGHT_WORKERS": "num_workers",
    "BT_NIGHT_MEMORY_LIMIT": "max_memory_per_process",
    "BT_NIGHT_DASHBOARD_PORT": "dashboard.port",
}
"""Names that users already know, and the key that each one sets. `BT_NIGHT_TRAINING` needs no alias."""

GIGABYTE = 1024**3

Share = Annotated[float, Field(ge=0, le=1)]
Port = Annotated[int, Field(ge=1, le=65535)]


class Section(BaseModel):
    """A part of the configuration; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PromoteIf(Section):
    """Thresholds that the out-of-fold scores of a model must meet to be promoted."""

    min_auc: Share = 0.52
    max_brier: Share = 0.26
    min_acc: Share = 0.50


class Dashboard(Section):
    """Where the coordinator listens; when not enabled it takes any free loopback port."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Port = 5000


class SampleData(Section):
    """Synthetic candles that are made when there are none."""

    days: Annotated[int, Field(ge=2, le=3650)] = 730
    seed: Annotated[int, Field(ge=0)] = 7


class Data(Section):
    """Where candles come from, and how damaged they may be."""

    dir: Path = Path("data/candles")
    sample: SampleData = SampleData()
    max_missing_share: Share = 0.20
    max_defect_share: Share = 0.01
    max_bar_missing_share: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @property
    def policy(self) -> SurveyPolicy:
        """The survey's policy."""
        return SurveyPolicy(
            max_missing_share=self.max_missing_share,
            max_defect_share=self.max_defect_share,
            max_bar_missing_share=self.max_bar_missing_share,
        )


class Model(Section):
    """The logistic regression's path of C and the least rows that a fold may train and test on."""

    C: tuple[Annotated[float, Field(gt=0)], ...] = (0.0001, 0.001, 0.01, 0.1, 1.0)
    min_train_rows: Annotated[int, Field(ge=20)] = 100
    min_test_rows: Annotated[int, Field(ge=10)] = 40

    @field_validator("C")
    @classmethod
    def _ascending(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or list(value) != sorted(set(value)):
            raise ValueError("must be a list of different positive numbers in ascending order")
        return value


class Retry(Section):
    """How many attempts each cause may spend, and how the wait between attempts grows (seconds)."""

    error: Annotated[int, Field(ge=1)] = 3
    crash: Annotated[int, Field(ge=1)] = 3
    timeout: Annotated[int, Field(ge=1)] = 2
    oom: Annotated[int, Field(ge=1)] = 2
    backoff_base: Annotated[float, Field(gt=0)] = 2.0
    backoff_cap: Annotated[float, Field(gt=0)] = 300.0


class Breaker(Section):
    """How many cells of a symbol must fail in a row to park it, and for how long (seconds)."""

    failures: Annotated[int, Field(ge=1)] = 5
    park_seconds: Annotated[float, Field(gt=0)] = 600.0


class Lease(Section):
    """How long a lease lives without renewal (seconds); trainers renew three times as often."""

    seconds: Annotated[float, Field(ge=1)] = 30.0


class Deadline(Section):
    """When a job counts as hung: `factor` times its expected duration, but at least `minimum_seconds`."""

    minimum_seconds: Annotated[float, Field(gt=0)] = 600.0
    factor: Annotated[float, Field(gt=1)] = 10.0


class Window(Section):
    """The hours in which jobs are handed out; `end` before `start` means the next morning."""

    start: time
    end: time
    timezone: str = "UTC"

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("must be a time zone such as UTC or Europe/Berlin")
        return value

    @model_validator(mode="after")
    def _not_empty(self) -> Window:
        if self.start == self.end:
            raise ValueError("start and end must differ; leave window out to train at any hour")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of start and end."""
        return ZoneInfo(self.timezone)


class NightSettings(BaseSettings):
    """The whole configuration of a night; every key is explained in `deploy/night_training.yaml`."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
    )

    symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT", "ADAUSDT", "SOLUSDT", "DOGEUSDT", "XRPUSDT")
    timeframes: tuple[str, ...] = ("1m", "5m", "15m", "1h", "4h", "1d")
    horizons: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = (1, 3, 5)
    num_workers: Literal["auto"] | Annotated[int, Field(ge=1, le=256)] = "auto"
    max_memory_per_process: Annotated[float, Field(ge=0.1)] = 2.0
    memory_threshold: Annotated[float, Field(gt=0, le=1)] = 0.85
    n_splits: Annotated[int, Field(ge=2, le=50)] = 5
    embargo_minutes: Annotated[int, Field(ge=0)] = 30
    promote_if: PromoteIf = PromoteIf()
    false_discovery_rate: Annotated[float, Field(gt=0, lt=1)] = 0.10
    dashboard: Dashboard = Dashboard()
    training: bool = True
    data: Data = Data()
    model: Model = Model()
    retry: Retry = Retry()
    breaker: Breaker = Breaker()
    lease: Lease = Lease()
    deadline: Deadline = Deadline()
    window: Window | None = None
    max_wait_seconds: Annotated[float, Field(gt=0)] = 900.0
    database_url: str = ""

    @field_validator("symbols", mode="after")
    @classmethod
    def _symbols(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = tuple(canonical_symbol(symbol) for symbol in value)
        for symbol in names:
            if not (symbol.isascii() and symbol.isalnum() and 3 <= len(symbol) <= 30):
                raise ValueError(f"{symbol!r} is no symbol; write it as BTCUSDT, BTC_USDT or BTC/USDT")
        return _distinct(names)

    @field_validator("timeframes", mode="after")
    @classmethod
    def _timeframes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for timeframe in value:
            if timeframe not in SECONDS:
                raise ValueError(f"{timeframe!r} is no timeframe; use some of {', '.join(SECONDS)}")
        return _distinct(value)

    @field_validator("horizons", mode="after")
    @classmethod
    def _horizons(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        return _distinct(value)

    @property
    def memory_limit_bytes(self) -> int:
        """`max_memory_per_process` in bytes."""
        return int(self.max_memory_per_process * GIGABYTE)

    def grid_config(self) -> dict[str, Any]:
        """Return the part that decides the results, as plain JSON; nights with equal parts are one night."""
        keys = {"symbols", "timeframes", "horizons", "n_splits", "embargo_minutes", "promote_if"}
        keys |= {"false_discovery_rate", "model"}
        document = self.model_dump(mode="json", include=keys)
        document["data"] = self.data.policy.model_dump(mode="json")
        return document

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values only as arguments: `load` merges the sources, and traces a mistake to its own."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def canonical_symbol(symbol: str) -> str:
    """Return the one spelling of a symbol: ``BTC/USDT``, ``BTC_USDT`` and ``btc-usdt`` are ``BTCUSDT``."""
    return symbol.strip().upper().replace("/", "").replace("_", "").replace("-", "")


def load(path: Path | None, overrides: Mapping[str, Any] | None = None) -> NightSettings:
    """Read the configuration.

    Parameters
    ----------
    path : Path or None
        The YAML file; None takes the defaults.
    overrides : mapping, optional
        Values from the command line by dotted key, for example ``{"dashboard.port": 5001}``. They win over
        all else.

    Raises
    ------
    ConfigurationError
        One line for each mistake: where, which key, which value, what would be right.
    """
    command_line: dict[str, Any] = {}
    for key, value in (overrides or {}).items():
        _set(command_line, key.split("."), value)
    sources = [
        (str(path), _read_yaml(path) if path else {}),
        ("environment", _read_environment()),
        ("command line", command_line),
    ]
    document: dict[str, Any] = {}
    for _, source in sources:
        _merge(document, source)
    try:
        return NightSettings(**document)
    except ValidationError as error:
        raise ConfigurationError(_explain(error, sources)) from error


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file", "name it with --config FILE") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = getattr(error, "problem", error)
        raise ConfigurationError(f"{path}: {place}no valid YAML: {problem}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path}: must map keys to values, as deploy/night_training.yaml does")
    return {str(key): value for key, value in document.items()}


def _read_environment() -> dict[str, Any]:
    everything = {name.upper(): value for name, value in os.environ.items()}
    environment = {name: value for name, value in everything.items() if name.startswith(ENV_PREFIX)}
    document = dict(EnvSettingsSource(NightSettings)())
    for name in environment:
        key = ENV_ALIASES.get(name) or name.removeprefix(ENV_PREFIX).lower().replace("__", ".")
        if key.split(".")[0] not in NightSettings.model_fields:
            near = difflib.get_close_matches(name, [*ENV_ALIASES, *_environment_names()], n=1)
            hint = f"did you mean {near[0]}?" if near else "see deploy/night_training.yaml for what there is"
            raise ConfigurationError(f"environment: {name} is no setting", hint)
        if name in ENV_ALIASES:
            _set(document, key.split("."), environment[name])
    return document


def _environment_names() -> list[str]:
    return [ENV_PREFIX + name.upper() for name in NightSettings.model_fields]


def _set(document: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        document = document.setdefault(key, {})
    document[keys[-1]] = value


def _merge(document: dict[str, Any], source: Mapping[str, Any]) -> None:
    for key, value in source.items():
        if isinstance(value, dict) and isinstance(document.get(key), dict):
            _merge(document[key], value)
        else:
            document[key] = copy.deepcopy(value)


def _explain(error: ValidationError, sources: list[tuple[str, dict[str, Any]]]) -> str:
    lines: dict[str, str] = {}
    for mistake in error.errors():
        location = [part for part in mistake["loc"] if part not in ("literal['auto']", "constrained-int")]
        key = ".".join(str(part) for part in location)
        where = next((name for name, source in reversed(sources) if _holds(source, location)), sources[0][0])
        if mistake["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(location[-1]), _siblings(location[:-1]), n=1)
            right = f"unknown key{f'; did you mean {near[0]}?' if near else ''}"
            lines[key] = f"{where}: {key}: {right}"
        elif mistake["type"] == "missing":
            lines[key] = f"{where}: {key}: must be given"
        else:
            right = mistake["msg"].removeprefix("Value error, ")
            lines[key] = f"{where}: {key}: {_RIGHT.get(key, right)}; got {_shown(mistake['input'])}"
    return "; ".join(lines.values())


_RIGHT = {"num_workers": "must be auto or a whole number from 1 to 256"}


def _shown(value: Any) -> str:
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= 80 else text[:77] + "..."


def _holds(source: Any, location: list[int | str]) -> bool:
    for key in location:
        if isinstance(key, int):
            return True
        if not isinstance(source, dict) or key not in source:
            return False
        source = source[key]
    return True


def _siblings(location: list[int | str]) -> list[str]:
    model: Any = NightSettings
    for key in location:
        field = model.model_fields.get(key)
        model = field.annotation if field else None
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return []
    return list(model.model_fields)


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise ValueError("must name at least one")
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{value!r} is named twice")
    return values
