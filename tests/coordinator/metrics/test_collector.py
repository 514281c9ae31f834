"""A scrape as a whole."""

from __future__ import annotations

import time as wall

from tests.coordinator.metrics.scraped import scraped
from tests.coordinator.specimens import (
    MakeNight,
)


def test_a_thousand_jobs_are_reported_in_a_moment(make_night: MakeNight) -> None:
    symbols = tuple(f"S{number:02d}USDT" for number in range(28))
    night = make_night(timeframes=("1m", "5m", "15m", "1h", "4h", "1d"))
    night.begin(symbols=symbols, timeframes=night.settings.timeframes, horizons=(1, 2, 3, 4, 5, 6))
    night.survey_all(night.register())
    scraped(night)
    began = wall.process_time()
    scrape = scraped(night)
    assert wall.process_time() - began < 1.0
    assert sum(scrape("queue_jobs", symbol=symbol) or 0 for symbol in symbols) == 28 * 36
