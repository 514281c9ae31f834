"""Nights whose clock stands still, as one scrape reports them."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from coordinator.metrics.collector import NightCollector
from tests.coordinator.specimens import (
    Night,
)

ONE_CELL: dict[str, Any] = {"symbols": ("BTCUSDT",), "timeframes": ("1h",), "horizons": (3,)}


CELL = {"symbol": "BTCUSDT", "timeframe": "1h", "horizon": "3"}


class Scrape:
    """One scrape of a night, series by series."""

    def __init__(self, text: str) -> None:
        self.values = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float | None:
        return self.values.get((f"nighttrain_{name}", tuple(sorted(labels.items()))))

    def names(self) -> set[str]:
        return {name.removeprefix("nighttrain_") for name, _ in self.values}


def scraped(night: Night) -> Scrape:
    registry = CollectorRegistry()
    registry.register(NightCollector(night.ledger, night.settings, night.out, night.forecast, "0.1.0"))
    return Scrape(generate_latest(registry).decode())


def surveyed(night: Night, **changes: Any) -> str:
    """Begin a run and survey it by one trainer."""
    night.begin(**{**ONE_CELL, **changes})
    boot = night.register()
    night.survey_all(boot)
    return boot


def ended(night: Night, **changes: Any) -> None:
    """A whole run of one cell."""
    boot = surveyed(night)
    night.finish_all(boot, **changes)
    night.housekeeping.tick()
