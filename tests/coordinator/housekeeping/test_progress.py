"""The file of the night's progress."""

from __future__ import annotations

import json
from pathlib import Path

from coordinator.housekeeping.progress import CHUNK
from tests.coordinator.one_cell import ONE
from tests.coordinator.specimens import Night, checkpoint, renewal, spec_of


def path_of(night: Night) -> Path:
    return night.out / "logs" / "night_training_checkpoint.json"


def test_progress_is_written_every_thirty_seconds_and_at_the_end(night: Night) -> None:
    path = path_of(night)
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


def test_a_job_at_work_tells_its_trainer_and_what_is_saved(night: Night) -> None:
    night.begin(**ONE)
    boot = night.register()
    night.survey_all(boot)
    grant = night.grant(boot)
    night.queue.renew(grant.lease_id, renewal())
    night.queue.save_checkpoint(grant.lease_id, checkpoint(2))
    night.housekeeping.tick()
    survey, cell = json.loads(path_of(night).read_bytes())["jobs"]
    assert survey["job"] == "survey of BTCUSDT" and survey["trainer"] == "" and survey["progress"] is None
    assert cell["job"] == spec_of(grant).cell.name and cell["trainer"] == "t1"
    assert cell["progress"]["done"] == 1 and cell["folds_saved"] == 2


def test_a_night_that_is_read_in_pieces_is_written_as_one_document(night: Night) -> None:
    symbols = tuple(f"S{number:03d}USDT" for number in range(CHUNK // 2 + 1))
    night.begin(symbols=symbols, timeframes=("1h",), horizons=(1,))
    night.housekeeping.tick()
    written = json.loads(path_of(night).read_bytes())["jobs"]
    assert len(written) == CHUNK + 2 and len({job["id"] for job in written}) == CHUNK + 2
