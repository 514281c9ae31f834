"""Files of promoted models after a crash."""

from __future__ import annotations

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
