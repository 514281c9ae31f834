"""The file of the night's progress."""

from __future__ import annotations

import json

from tests.coordinator.one_cell import ONE
from tests.coordinator.specimens import Night


def test_progress_is_written_every_thirty_seconds_and_at_the_end(night: Night) -> None:
    path = night.out / "logs" / "night_training_checkpoint.json"
    run = night.begin(**ONE)
    night.housekeeping.tick()
    first = json.loads(path.read_bytes())
    assert first["schema"] == "nighttrain.progress/1" and first["run"]["training"]["queued"] == 1
    night.survey_all(night.register())
    night.clock.advance(10)
    night.housekeeping.tick()
    assert json.loads(path.read_bytes()) == first
    night.clock.advance(10)
    night.housekeeping.tick()
    night.clock.advance(10)
    night.housekeeping.tick()
    assert json.loads(path.read_bytes())["run"]["surveys"]["succeeded"] == 1
    night.finish_all("t1-boot")
    night.housekeeping.tick()
    last = json.loads(path.read_bytes())
    assert last["run"]["id"] == run and last["run"]["state"] == "done"
    assert [job["state"] for job in last["jobs"]] == ["succeeded", "succeeded"]
