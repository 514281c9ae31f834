"""The sections of a night's configuration, and the kinds of number in them; `settings` puts them together."""

from __future__ import annotations

from datetime import time
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    field_validator,
    model_validator,
)

from common.frozen import Frozen
from common.objects.address import Place, place_of


def _no_truth(value: Any) -> Any:
    # YAML reads yes and on as true, and true would pass for the number 1.
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


def _network(value: str) -> str:
    try:
        return str(ip_network(value, strict=False))
    except ValueError:
        raise ValueError("must be an address such as 127.0.0.1 or a network such as 172.16.0.0/12") from None


def _place(value: Any) -> Place:
    if not isinstance(value, str | Path):
        raise ValueError("must be a path in quotes")
    return place_of(value)


CandlePlace = Annotated[Place, PlainValidator(_place), PlainSerializer(str, when_used="json")]
"""Where candles lie; as JSON it is text, of which only an address has ``://`` in it."""

GIBIBYTE = 1024**3

Whole = Annotated[int, BeforeValidator(_no_truth)]
Number = Annotated[float, BeforeValidator(_no_truth)]
Share = Annotated[Number, Field(ge=0, le=1)]
Port = Annotated[Whole, Field(ge=0, le=65535)]
Missing = Literal["skip", "no_trade"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
Seconds = Annotated[Number, Field(gt=0, le=366 * 86400)]


class PromoteIf(Frozen):
    """Thresholds that the out-of-fold scores of a model must meet to be promoted."""

    min_auc: Share = 0.52
    """The least AUC, 0 to 1."""
    max_brier: Share = 0.26
    """The highest Brier score, 0 to 1."""
    min_acc: Share = 0.50
    """The least accuracy, 0 to 1."""


class Label(Frozen):
    """What a model learns to predict, and what a trade costs."""

    kind: Literal["direction", "beyond_costs"] = "direction"
    """`direction`: rise or fall. `beyond_costs`: up by more than the costs, down by more, or neither."""
    costs_bp: Annotated[Number, Field(ge=0, le=10_000)] = 10.0
    """Costs of a trade, in and out, in basis points: the edge of every model is measured against them."""

    @property
    def name(self) -> str:
        """What tells labels apart: models of different names predict different things."""
        return "direction" if self.kind == "direction" else f"beyond_costs of {self.costs_bp:g} bp"


class Championship(Frozen):
    """How long a champion may stand."""

    max_age_days: Annotated[Number, Field(gt=0, le=36_500)] = 180.0
    """The age at which it expires if nothing has taken its place, in days; its age counts from the last
    candle that it was trained on to the newest one, or from its promotion if that is longer ago."""


class Dashboard(Frozen):
    """Where the coordinator listens; when not enabled, or with port 0, it takes any free port.

    `external_url` is the address by which people reach it, for links in messages; empty where that is where
    it listens. `proxies` are the addresses or networks of proxies in front of it, as one that speaks TLS:
    their word is taken for where a request comes from.
    """

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Port = 5000
    external_url: Annotated[str, Field(pattern=r"^(https?://[^\s/?#]+(/[^\s?#]*)?)?$")] = ""
    proxies: tuple[Annotated[str, AfterValidator(_network)], ...] = ()

    @property
    def address(self) -> str:
        """The address for links, without a slash at the end."""
        return self.external_url.rstrip("/") or f"http://{self.host}:{self.port}"


class SampleData(Frozen):
    """Synthetic candles that are made when there are none."""

    days: Annotated[Whole, Field(ge=2, le=3650)] = 730
    seed: Annotated[Whole, Field(ge=0)] = 7


Column = Annotated[str, Field(min_length=1)] | Annotated[Whole, Field(ge=1)]
"""A column of a file, by its name or by its place from 1."""


class ColumnMapping(Frozen):
    """Which columns of a file hold what; what is not given is told by names and content, as without it."""

    time: Column | Annotated[tuple[Column, ...], Field(min_length=1, max_length=2)] | None = None
    """Opening of the bar; two columns are a date and a time of day."""
    format: str | None = None
    """How its text is written, in the letters of strptime, such as `%d/%m/%Y %H:%M`."""
    zone: str | None = None
    """The time zone of times that name none, such as `Europe/Berlin`; None is UTC."""
    decimal: Literal[".", ","] | None = None
    """The sign between the whole and the parts of a number in text."""
    open: Column | None = None
    """First price."""
    high: Column | None = None
    """Highest price."""
    low: Column | None = None
    """Lowest price."""
    close: Column | None = None
    """Last price."""
    volume: Column | None = None
    """Amount that was traded, in the base currency."""
    quote_volume: Column | None = None
    """Its value, in the quote currency."""

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        if value is not None and value not in available_timezones():
            raise ValueError("must be a time zone such as UTC or Europe/Berlin")
        return value


class Data(Frozen):
    """Where candles come from, how damaged they may be, and what their columns are."""

    dir: CandlePlace = Path("data/candles")
    """The folder, or the address of a store below which objects are as files in one."""
    sample: SampleData = SampleData()
    max_missing_share: Share = 0.20
    max_defect_share: Share = 0.01
    max_bar_missing_share: Annotated[Number, Field(ge=0, lt=1)] = 0.05
    missing: Missing = "skip"
    columns: dict[str, ColumnMapping] = Field(default_factory=dict)
    update_before_night: bool = False
    """Whether `nighttrain up` fetches what is new before each opening of the window."""
    update_minutes: Annotated[Number, Field(gt=0, le=720)] = 15.0
    """How long before the opening that begins; the opening ends it."""
    archive: Annotated[str, Field(pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$")] = (
        "https://data.binance.vision/data"
    )
    """The archive that it fetches from."""

    @property
    def policy(self) -> SurveyPolicy:
        """The survey's policy."""
        return SurveyPolicy(
            max_missing_share=self.max_missing_share,
            max_defect_share=self.max_defect_share,
            max_bar_missing_share=self.max_bar_missing_share,
            missing=self.missing,
            columns=self.columns,
        )


class Model(Frozen):
    """The logistic regression's path of C and the least rows that a fold may train and test on."""

    C: tuple[Annotated[Number, Field(gt=0)], ...] = (0.000001, 0.00001, 0.0001, 0.001, 0.01)
    """Inverse regularisation strengths to choose from, ascending."""
    min_train_rows: Annotated[Whole, Field(ge=20)] = 100
    """The least rows that a fold may train on."""
    min_test_rows: Annotated[Whole, Field(ge=10)] = 40
    """The least rows that a fold may be tested on."""

    @field_validator("C")
    @classmethod
    def _ascending(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or list(value) != sorted(set(value)):
            raise ValueError("must be a list of different positive numbers in ascending order")
        return value


class Retry(Frozen):
    """How many attempts each cause may spend, and how the wait between attempts grows (seconds).

    After `storage_seconds` without room to write, `nighttrain run` ends; the night is kept.
    """

    error: Annotated[Whole, Field(ge=1)] = 3
    crash: Annotated[Whole, Field(ge=1)] = 3
    timeout: Annotated[Whole, Field(ge=1)] = 2
    oom: Annotated[Whole, Field(ge=1)] = 2
    backoff_base: Seconds = 2.0
    backoff_cap: Seconds = 300.0
    storage_seconds: Seconds = 900.0


class Breaker(Frozen):
    """How many cells of a symbol must fail in a row to park it, and for how long (seconds)."""

    failures: Annotated[Whole, Field(ge=1)] = 5
    park_seconds: Seconds = 600.0


class Lease(Frozen):
    """How long a lease lives without renewal (seconds); trainers renew three times as often."""

    seconds: Annotated[Seconds, Field(ge=1)] = 30.0


class Deadline(Frozen):
    """When a job counts as hung: `factor` times its expected duration, but at least `minimum_seconds`."""

    minimum_seconds: Seconds = 600.0
    factor: Annotated[Number, Field(gt=1, le=1000)] = 10.0


class Parallelism(Frozen):
    """Whether the coordinator decides how many trainers of a host may work at once."""

    adaptive: bool = True
    """By memory, processors and what waits for them; otherwise all work that have been started."""


class Window(Frozen):
    """The hours in which jobs are handed out; `end` before `start` means the next morning."""

    start: time
    end: time
    timezone: str = "UTC"
    weekdays: tuple[Weekday, ...] = WEEKDAYS
    """The days on which it opens, by the calendar of `timezone`."""
    missed: Literal["begin", "skip"] = "begin"
    """What becomes of an opening at which no coordinator was there: begin late, or leave that night out."""

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

    @field_validator("weekdays", mode="before")
    @classmethod
    def _abbreviated(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = value.replace(",", " ").split()
        return (
            tuple(str(day).strip().lower()[:3] for day in value) if isinstance(value, list | tuple) else value
        )

    @field_validator("weekdays", mode="after")
    @classmethod
    def _in_order(cls, value: tuple[Weekday, ...]) -> tuple[Weekday, ...]:
        if not value:
            raise ValueError("must name at least one day; leave window out to train at any hour")
        return tuple(day for day in WEEKDAYS if day in value)

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


class SurveyPolicy(Frozen):
    """How damaged candles may be before they are refused; shares run from 0 to 1."""

    max_missing_share: float
    """Share of bars that may be missing between the first and the last; long holes do not count."""
    max_defect_share: float
    """Share of bars that may be impossible; they are dropped."""
    max_bar_missing_share: float
    """Share of the finer bars that a resampled bar may lack, to the nearest whole bar."""
    missing: Missing = "skip"
    """Whether bars in which nothing was traded are left out, or put in at the close before them."""
    columns: dict[str, ColumnMapping] = Field(default_factory=dict)
    """What the columns of files are, by a pattern of their paths such as `kraken/*.csv`."""
