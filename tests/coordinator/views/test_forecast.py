"""When the run will end."""

from __future__ import annotations

from datetime import timedelta

from tests.coordinator.specimens import MakeNight


def test_the_end_is_unknown_at_first_and_then_estimated_from_earlier_nights(
    make_night: MakeNight,
) -> None:
    night = make_night()
    night.begin()
    night.survey_all(night.register())
    assert night.status().document().eta.p50 is None
    night.finish_all("t1-boot")
    night.housekeeping.tick()
    night.begin(horizons=(1, 3, 5))
    eta = night.status().document().eta
    # Two surveys and twelve cells of ten seconds each, on one trainer.
    assert eta.p50 == eta.p90 == night.clock.now + timedelta(seconds=140)
