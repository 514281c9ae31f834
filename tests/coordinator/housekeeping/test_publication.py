"""Files of promoted models after a crash."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from common.out_folder import OutFolder
from tests.coordinator.one_cell import direction, trained
from tests.coordinator.specimens import MakeNight


@pytest.mark.parametrize("harm", ["no pkl", "no manifest", "another pkl", "another manifest"])
def test_files_that_a_crash_left_half_done_are_made_again(make_night: MakeNight, harm: str) -> None:
    night = make_night()
    trained(night)
    night.housekeeping.tick()
    before = {name: path.read_bytes() for name, path in direction(night).items()}
    path = direction(night)[f"BTCUSDT_1h_H1_logreg_optimized.{'json' if 'manifest' in harm else 'pkl'}"]
    path.unlink() if harm.startswith("no") else path.write_bytes(b"{}")
    again = make_night()
    again.housekeeping.start()
    again.housekeeping.stop()
    assert {name: path.read_bytes() for name, path in direction(again).items()} == before


def test_files_that_could_not_be_restored_at_the_start_are_restored_later(make_night: MakeNight) -> None:
    night = make_night()
    trained(night)
    night.housekeeping.tick()
    before = {name: path.read_bytes() for name, path in direction(night).items()}
    for path in direction(night).values():
        path.unlink()
    [blob] = OutFolder(night.out).blobs.iterdir()
    content = blob.read_bytes()
    blob.write_bytes(b"something else")
    again = make_night()
    again.housekeeping.start()
    again.housekeeping.stop()
    assert "promoted models: " in again.housekeeping.troubles()[0] and direction(again) == {}
    blob.write_bytes(content)
    again.clock.advance(6)
    again.housekeeping.tick()
    assert {name: path.read_bytes() for name, path in direction(again).items()} == before


def test_models_that_an_older_state_of_the_database_does_not_know_are_told_of_and_kept(
    make_night: MakeNight, migrated: Path
) -> None:
    night = make_night()
    trained(night)
    night.housekeeping.tick()
    assert night.housekeeping.troubles() == ()
    night.database.close()
    shown = direction(night)
    assert len(shown) == 2
    shutil.copy(migrated, night.out / "nighttrain.db")
    again = make_night()
    again.housekeeping.start()
    [told] = again.housekeeping.troubles()
    assert "shows 1 model that the database does not know: BTCUSDT_1h_H1;" in told
    assert direction(again) == shown and all(path.exists() for path in shown.values())
    trained(again)
    again.housekeeping.tick()
    again.housekeeping.stop()
    assert again.housekeeping.troubles() == ()
