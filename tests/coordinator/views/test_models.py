"""The champions with their nights."""

from __future__ import annotations

import pytest

from common.errors import NotFoundError
from common.protocol.jobs import Cell
from common.timeframes import Timeframe
from coordinator.views.models import cell_history, champion_list, model_of
from tests.coordinator.specimens import Night

CELL = Cell(symbol="BTCUSDT", timeframe=Timeframe.H1, horizon=1)
SMALL = {"symbols": ("BTCUSDT",), "timeframes": ("1h",), "horizons": (1,)}


def nights(night: Night, *aucs: float) -> None:
    boot = night.register()
    for auc in aucs:
        night.begin(**SMALL)
        night.survey_all(boot)
        night.finish_all(boot, auc=auc, seed=str(auc))
        night.housekeeping.tick()
        night.clock.advance(86_400)


def test_a_champion_has_its_age_its_scores_and_its_last_nights(night: Night) -> None:
    nights(night, 0.56, 0.51)
    [champion] = champion_list(night.database).champions
    assert champion.cell == CELL and champion.age_days == 2 and champion.since.run == 1
    assert champion.scores is not None and champion.scores.auc == 0.56
    assert [(one.run_id, one.auc, one.promoted) for one in champion.nights] == [
        (1, 0.56, True),
        (2, 0.51, False),
    ]


def test_a_cell_keeps_its_history_the_newest_first(night: Night) -> None:
    nights(night, 0.56, 0.51)
    found = cell_history(night.database, CELL)
    assert found.champion is not None and [one.auc for one in found.nights] == [0.51, 0.56]
    assert [change.action for change in found.changes] == ["promoted"]
    with pytest.raises(NotFoundError, match="no night has trained BTCUSDT_1d_H1"):
        cell_history(night.database, Cell(symbol="BTCUSDT", timeframe=Timeframe.D1, horizon=1))


def test_a_model_is_found_by_its_job_alone(night: Night) -> None:
    nights(night, 0.56)
    [champion] = champion_list(night.database).champions
    cell, sha256, document = model_of(night.database, champion.job_id)
    assert cell == CELL and sha256 == champion.sha256 and '"pickle_sha256"' in document
    with pytest.raises(NotFoundError, match="job 1 has no model"):
        model_of(night.database, 1)
