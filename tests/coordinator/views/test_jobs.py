"""Jobs as operators see them."""

from __future__ import annotations

from common.settings.sections import Breaker
from tests.coordinator.specimens import MakeNight, claim, failure


def test_every_waiting_job_says_why(make_night: MakeNight) -> None:
    night = make_night(breaker=Breaker(failures=1, park_seconds=600))
    night.begin()
    assert night.waits(1) == "no trainer is alive"
    assert night.waits(3) == "it waits for the survey of BTCUSDT"
    boot = night.register()
    night.survey_all(boot)
    assert night.waits(3) == "it waits for a free trainer and is the next"
    assert night.waits(6) == "it waits for a free trainer; 5 jobs are ahead of it"
    grant = night.grant(boot)
    assert night.waits(grant.job_id) == ""
    night.queue.fail(grant.lease_id, failure())
    assert night.waits(grant.job_id).startswith("it waits ")
    assert night.waits(4) == "BTCUSDT is parked, because cell after cell of it failed"
    night.queue.claim(claim(boot, free=0.01))
    assert "uses 99% of its memory" in night.waits(7)
