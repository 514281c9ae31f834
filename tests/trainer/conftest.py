"""Simulated candles for the tests of the mathematics."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests import simulated_candles
from trainer.candles.candles import Candles


@pytest.fixture(scope="session")
def simulate() -> Callable[..., Candles]:
    return simulated_candles.simulated


@pytest.fixture(scope="session")
def coarser() -> Callable[[Candles, str], Candles]:
    return simulated_candles.coarser
