"""A night that is too short for its grid."""

from __future__ import annotations

from datetime import time

from common.settings.sections import Window
from tests.coordinator.specimens import MakeNight, Night

LUNCH = Window(start=time(11), end=time(12, 1))
"""It closes a minute after noon, when the tests begin."""


def begun(make_night: MakeNight) -> tuple[Night, str]:
    """A night of two symbols by three horizons: five cells of 10 s wait, and 25 s are left."""
    night = make_night(window=LUNCH)
    boot = night.start(symbols=("BTCUSDT", "ETHUSDT"), timeframes=("1h",), horizons=(1, 3, 5))
    night.succeed(night.grant(boot))
    night.clock.advance(35)
    night.claim(boot, free=0.01)
    return night, boot


def test_what_does_not_fit_is_left_said_and_counted_and_the_rest_goes_first(make_night: MakeNight) -> None:
    night, boot = begun(make_night)
    [warning] = [words for words in night.status().document().warnings if "left for the next night" in words]
    assert warning.startswith("3 cells do not fit before the window closes")
    left = [job for job in night.jobs() if f"{job.symbol}_{job.timeframe}_H{job.horizon}" in warning]
    assert len(left) == 3
    order = []
    for _ in range(3):
        grant = night.grant(boot)
        order.append(grant.job_id in {job.id for job in left})
        night.clock.advance(10)
        night.succeed(grant)
    assert order == [False, False, True]


def test_with_more_trainers_it_is_taken_back(make_night: MakeNight) -> None:
    night, _ = begun(make_night)
    for number in range(2, 5):
        night.claim(night.register(name=f"t{number}"))
    assert not any("left for the next night" in words for words in night.status().document().warnings)
