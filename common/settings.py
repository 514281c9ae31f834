"""The configuration of a night: `deploy/night_training.yaml`, then `BT_NIGHT_*`, then the command line.

Everything is checked before anything starts; a mistake is one line that names the key, the value and what
would be right.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from common.errors import ConfigurationError
from common.jobs import SECONDS, SurveyPolicy
from common.setting_sources import Source, explain, merged, nested, read_environment, read_yaml

ENV_PREFIX = "BT_NIGHT_"
ENV_ALIASES = {
    "BT_NIGHT_WORKERS": "num_workers",
    "BT_NIGHT_MEMORY_LIMIT": "max_memory_per_process",
    "BT_NIGHT_DASHBOARD_PORT": "dashboard.port",
}
"""Names that users already know, and the key that each one sets. `BT_NIGHT_TRAINING` needs no alias."""

GIGABYTE = 1024**3


def _no_truth(value: Any) -> Any:
    # YAML reads yes and on as true, and true would pass for the number 1.
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


Whole = Annotated[int, BeforeValidator(_no_truth)]
Number = Annotated[float, BeforeValidator(_no_truth)]
Share = Annotated[Number, Field(ge=0, le=1)]
Port = Annotated[Whole, Field(ge=1, le=65535)]


class Section(BaseModel):
    """A part of the configuration; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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

    days: Annotated[Whole, Field(ge=2, le=3650)] = 730
    seed: Annotated[Whole, Field(ge=0)] = 7


class Data(Section):
    """Where candles come from, and how damaged they may be."""

    dir: Path = Path("data/candles")
    sample: SampleData = SampleData()
    max_missing_share: Share = 0.20
    max_defect_share: Share = 0.01
    max_bar_missing_share: Annotated[Number, Field(ge=0, lt=1)] = 0.0

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

    C: tuple[Annotated[Number, Field(gt=0)], ...] = (0.000001, 0.00001, 0.0001, 0.001, 0.01)
    min_train_rows: Annotated[Whole, Field(ge=20)] = 100
    min_test_rows: Annotated[Whole, Field(ge=10)] = 40

    @field_validator("C")
    @classmethod
    def _ascending(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or list(value) != sorted(set(value)):
            raise ValueError("must be a list of different positive numbers in ascending order")
        return value


class Retry(Section):
    """How many attempts each cause may spend, and how the wait between attempts grows (seconds).

    After `storage_seconds` without room to write, `nighttrain run` ends; the night is kept.
    """

    error: Annotated[Whole, Field(ge=1)] = 3
    crash: Annotated[Whole, Field(ge=1)] = 3
    timeout: Annotated[Whole, Field(ge=1)] = 2
    oom: Annotated[Whole, Field(ge=1)] = 2
    backoff_base: Annotated[Number, Field(gt=0)] = 2.0
    backoff_cap: Annotated[Number, Field(gt=0)] = 300.0
    storage_seconds: Annotated[Number, Field(gt=0)] = 900.0


class Breaker(Section):
    """How many cells of a symbol must fail in a row to park it, and for how long (seconds)."""

    failures: Annotated[Whole, Field(ge=1)] = 5
    park_seconds: Annotated[Number, Field(gt=0)] = 600.0


class Lease(Section):
    """How long a lease lives without renewal (seconds); trainers renew three times as often."""

    seconds: Annotated[Number, Field(ge=1)] = 30.0


class Deadline(Section):
    """When a job counts as hung: `factor` times its expected duration, but at least `minimum_seconds`."""

    minimum_seconds: Annotated[Number, Field(gt=0)] = 600.0
    factor: Annotated[Number, Field(gt=1)] = 10.0


class Window(Section):
    """The hours in which jobs are handed out; `end` before `start` means the next morning."""

    start: time
    end: time
    timezone: str = "UTC"

    @field_validator("start", "end", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        # Without quotes YAML reads 22:00 as the number 1320.
        if not isinstance(value, str | time):
            raise ValueError('must be a time of day in quotes, such as "22:00"')
        return value

    @field_validator("start", "end", mode="after")
    @classmethod
    def _no_zone(cls, value: time) -> time:
        if value.tzinfo is not None:
            raise ValueError("must be without an offset; name the zone by timezone")
        return value

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
        allow_inf_nan=False,
    )

    symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT", "ADAUSDT", "SOLUSDT", "DOGEUSDT", "XRPUSDT")
    timeframes: tuple[str, ...] = ("1m", "5m", "15m", "1h", "4h", "1d")
    horizons: tuple[Annotated[Whole, Field(ge=1, le=1000)], ...] = (1, 3, 5)
    num_workers: Literal["auto"] | Annotated[Whole, Field(ge=1, le=256)] = "auto"
    max_memory_per_process: Annotated[Number, Field(ge=0.1, le=100_000)] = 2.0
    memory_threshold: Annotated[Number, Field(gt=0, le=1)] = 0.85
    n_splits: Annotated[Whole, Field(ge=2, le=50)] = 5
    embargo_minutes: Annotated[Whole, Field(ge=0)] = 30
    promote_if: PromoteIf = PromoteIf()
    false_discovery_rate: Annotated[Number, Field(gt=0, lt=1)] = 0.10
    dashboard: Dashboard = Dashboard()
    training: bool = True
    data: Data = Data()
    model: Model = Model()
    retry: Retry = Retry()
    breaker: Breaker = Breaker()
    lease: Lease = Lease()
    deadline: Deadline = Deadline()
    window: Window | None = None
    max_wait_seconds: Annotated[Number, Field(gt=0)] = 900.0
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
    sources = [
        Source(str(path or "defaults"), read_yaml(path) if path else {}),
        Source("environment", read_environment(NightSettings, ENV_PREFIX, ENV_ALIASES)),
        Source("command line", nested(overrides or {})),
    ]
    try:
        return NightSettings(**merged(sources))
    except ValidationError as error:
        raise ConfigurationError(explain(error, sources, NightSettings)) from error


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise ValueError("must name at least one")
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{value!r} is named twice")
    return values
