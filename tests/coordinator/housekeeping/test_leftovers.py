"""What is removed at the start of a coordinator, and what is not."""

from __future__ import annotations

import os
import time
from pathlib import Path

from common.out_folder import OutFolder
from coordinator.housekeeping.leftovers import LOG_SECONDS, Leftovers


def test_logs_of_coordinators_that_are_long_gone_are_removed_and_no_others(tmp_path: Path) -> None:
    out = OutFolder(tmp_path, "night-2")
    out.logs.mkdir()
    old = time.time() - LOG_SECONDS - 60
    gone = ["batch_train_night-pod-a.log", "batch_train_night-pod-a.log.1"]
    # Its own, one without a name, one that wrote lately, and what is no log of a coordinator.
    kept = [
        "batch_train_night-night-2.log",
        "batch_train_night-night-2.log.5",
        "batch_train_night.log",
        "batch_train_results_20260101_000000.json",
        "night_training_launcher.log",
    ]
    for name in (*gone, *kept):
        (out.logs / name).write_text("x")
        os.utime(out.logs / name, (old, old))
    (out.logs / "batch_train_night-pod-b.log").write_text("x")
    Leftovers(out).start()
    assert sorted(path.name for path in out.logs.iterdir()) == sorted([*kept, "batch_train_night-pod-b.log"])
