"""The configuration of a night: `deploy/night_training.yaml`, then `BT_NIGHT_*`, then the command line.

Everything is checked before anything starts; a mistake is one line that names the key, the value and what
would be right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from common.errors import ConfigurationError
from common.objects.address import checked
from common.settings.sections import (
    GIBIBYTE,
    Breaker,
    Championship,
    Dashboard,
    Data,
    Deadline,
    Label,
    Lease,
    Model,
    Number,
    Parallelism,
    PromoteIf,
    Retry,
    Seconds,
    Whole,
    Window,
)
from common.settings.sources import (
    Origin,
    Source,
    explain,
    merged,
    nested,
    origins,
    read_environment,
    read_yaml,
)
from common.timeframes import Timeframe

ENV_PREFIX = "BT_NIGHT_"
ENV_ALIASES = {
    "BT_NIGHT_WORKERS": "num_workers",
    "BT_NIGHT_MEMORY_LIMIT": "max_memory_per_process",
    "BT_NIGHT_DASHBOARD_PORT": "dashboard.port",
}
"""Names that users already know, and the key that each one sets. `BT_NIGHT_TRAINING` needs no alias."""

DEFAULT = "default"
"""Stands for the source of a value that stands nowhere."""

ALL = "all"
"""Stands for all symbols or timeframes that the folder of candles holds."""


class NightSettings(BaseSettings):
    """The whole configuration of a night; every key is explained in `deploy/night_training.yaml`."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
    )

    symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT", "ADAUSDT", "SOLUSDT", "DOGEUSDT", "XRPUSDT")
    timeframes: tuple[str, ...] = ("1m", "5m", "15m", "1h", "4h", "1d")
    horizons: tuple[Annotated[Whole, Field(ge=1, le=1000)], ...] = (1, 3, 5)
    num_workers: Literal["auto"] | Annotated[Whole, Field(ge=1, le=256)] = "auto"
    max_memory_per_process: Annotated[Number, Field(ge=0.1, le=100_000)] = 2.0
    max_memory_alone: Annotated[Number, Field(ge=0, le=100_000)] = 8.0
    max_cache: Literal["auto"] | Annotated[Number, Field(ge=0.1, le=1_000_000)] = "auto"
    memory_threshold: Annotated[Number, Field(gt=0, le=1)] = 0.85
    parallelism: Parallelism = Parallelism()
    label: Label = Label()
    n_splits: Annotated[Whole, Field(ge=2, le=50)] = 5
    embargo_minutes: Annotated[Whole, Field(ge=0, le=366 * 1440)] = 30
    promote_if: PromoteIf = PromoteIf()
    false_discovery_rate: Annotated[Number, Field(gt=0, lt=1)] = 0.10
    champion: Championship = Championship()
    dashboard: Dashboard = Dashboard()
    training: bool = True
    data: Data = Data()
    model: Model = Model()
    retry: Retry = Retry()
    breaker: Breaker = Breaker()
    lease: Lease = Lease()
    deadline: Deadline = Deadline()
    window: Window | None = None
    max_wait_seconds: Seconds = 900.0
    database_url: str = ""
    artifacts: Annotated[str, AfterValidator(checked)] = ""

    @field_validator("symbols", "timeframes", mode="before")
    @classmethod
    def _all(cls, value: Any) -> Any:
        return (ALL,) if isinstance(value, str) and value.strip().lower() == ALL else value

    @field_validator("symbols", mode="after")
    @classmethod
    def _symbols(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if _is_all(value):
            return (ALL,)
        names = tuple(canonical_symbol(symbol) for symbol in value)
        for symbol in names:
            if symbol == ALL.upper():
                raise ValueError("all stands for every symbol, so nothing can stand beside it")
            if not (symbol.isascii() and symbol.isalnum() and 3 <= len(symbol) <= 30):
                raise ValueError(f"{symbol!r} is no symbol; write it as BTCUSDT, BTC_USDT or BTC/USDT")
        return _distinct(names)

    @field_validator("timeframes", mode="after")
    @classmethod
    def _timeframes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if _is_all(value):
            return (ALL,)
        for timeframe in value:
            Timeframe.named(timeframe)
        return _distinct(value)

    @field_validator("horizons", mode="after")
    @classmethod
    def _horizons(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        return _distinct(value)

    @property
    def all_symbols(self) -> bool:
        """Whether the symbols are all that the folder of candles holds."""
        return self.symbols == (ALL,)

    @property
    def all_timeframes(self) -> bool:
        """Whether the timeframes are all that the folder of candles can fill."""
        return self.timeframes == (ALL,)

    @property
    def adapts_to_cores(self) -> bool:
        """Whether processors decide how many trainers may work; a number that was asked for stands."""
        return self.parallelism.adaptive and self.num_workers == "auto"

    @property
    def memory_limit_bytes(self) -> int:
        """`max_memory_per_process` in bytes."""
        return int(self.max_memory_per_process * GIBIBYTE)

    @property
    def most_alone_bytes(self) -> int:
        """`max_memory_alone` in bytes."""
        return int(self.max_memory_alone * GIBIBYTE)

    def grid_config(self) -> dict[str, Any]:
        """Return the part that decides the results, as plain JSON; nights with equal parts are one night."""
        keys = {"symbols", "timeframes", "horizons", "n_splits", "embargo_minutes", "promote_if"}
        keys |= {"false_discovery_rate", "champion", "label", "model"}
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
    """Return the one spelling of a symbol: ``BTC/USDT``, ``BTC_USDT`` and ``btc-usdt`` are ``BTCUSDT``.

    The perpetual ``BTC/USDT:USDT`` is ``BTCUSDTUSDT``, a symbol of its own.
    """
    return symbol.strip().upper().replace("/", "").replace("_", "").replace("-", "").replace(":", "")


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
    return settings_of(_sources(path, overrides))


def load_with_origins(
    path: Path | None, overrides: Mapping[str, Any] | None = None
) -> tuple[NightSettings, list[Origin]]:
    """Read the configuration as `load` does, and return each of its values with its source too.

    Raises
    ------
    ConfigurationError
        As of `load`.
    """
    sources = _sources(path, overrides)
    settings = settings_of(sources)
    return settings, origins(settings.model_dump(mode="json"), sources, DEFAULT)


def _sources(path: Path | None, overrides: Mapping[str, Any] | None) -> list[Source]:
    return [
        Source(str(path or "defaults"), read_yaml(path) if path else {}),
        Source("environment", read_environment(NightSettings, ENV_PREFIX, ENV_ALIASES)),
        Source("command line", nested(overrides or {})),
    ]


def settings_of(sources: Sequence[Source]) -> NightSettings:
    """Return the settings of these sources alone, of which a later one wins.

    Raises
    ------
    ConfigurationError
        One line for each mistake: where, which key, which value, what would be right.
    """
    try:
        return NightSettings(**merged(sources))
    except ValidationError as error:
        raise ConfigurationError(explain(error, sources, NightSettings)) from error


def _is_all(values: tuple[str, ...]) -> bool:
    return len(values) == 1 and values[0].strip().lower() == ALL


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise ValueError("must name at least one")
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{value!r} is named twice")
    return values
