"""The files of promoted models."""

from __future__ import annotations

import hashlib

from common.protocol.jobs import TrainingSpec
from common.protocol.reports import Manifest
from common.settings.grid import GridConfig
from coordinator.champions.files import manifest_bytes
from coordinator.champions.registry import champions
from coordinator.views.jobs import JobListing
from tests.coordinator.one_cell import direction, trained
from tests.coordinator.specimens import Night


def test_promoted_models_stand_beside_their_manifests(night: Night) -> None:
    trained(night)
    night.housekeeping.tick()
    files = direction(night)
    stem = "BTCUSDT_1h_H1_logreg_optimized"
    assert sorted(files) == [f"{stem}.json", f"{stem}.pkl"]
    manifest = Manifest.model_validate_json(files[f"{stem}.json"].read_bytes())
    assert hashlib.sha256(files[f"{stem}.pkl"].read_bytes()).hexdigest() == manifest.pickle_sha256


def test_what_is_published_is_what_the_history_says(night: Night) -> None:
    trained(night)
    night.housekeeping.tick()
    with night.database.read() as tx:
        [(cell, sha256, document)] = champions(tx.connection)
    assert cell.name == "BTCUSDT_1h_H1"
    assert direction(night)["BTCUSDT_1h_H1_logreg_optimized.json"].read_bytes() == manifest_bytes(document)
    detail = JobListing(night.database, night.settings).detail(2)
    assert isinstance(detail.spec, TrainingSpec) and detail.report is not None
    assert detail.report.manifest.pickle_sha256 == sha256
    assert GridConfig.model_validate(night.run_listing.view(1).config) == night.run_listing.view(1).config
