"""Two nights side by side."""

from __future__ import annotations

import pytest

from common.errors import NotFoundError
from coordinator.views.comparison import compare_nights
from tests.coordinator.specimens import Night


def a_night(night: Night, auc: float, lineage: dict[str, str], **changes: object) -> int:
    run = night.begin(**{"symbols": ("BTCUSDT",), "timeframes": ("1h",), "horizons": (1, 3), **changes})
    night.survey_all("t1-boot")
    night.finish_all("t1-boot", auc=auc, seed=str(run), lineage=lineage)
    night.housekeeping.tick()
    return run


def test_cells_are_paired_and_what_changed_is_named(night: Night) -> None:
    night.register()
    then = {"candles_1h": "a", "features": "f1", "configuration": "c1", "inputs": "i1", "numpy": "2.2"}
    first = a_night(night, 0.53, then)
    second = a_night(
        night,
        0.55,
        # The digest of the configuration covers those of the candles, so it differs with them.
        {**then, "candles_1h": "b", "features": "f2", "inputs": "i2", "configuration": "c2"},
        horizons=(3, 5),
    )
    third = a_night(night, 0.55, {**then, "configuration": "c2", "numpy": "2.3"}, n_splits=4)
    found = compare_nights(night.database, first, second)
    assert [(cell.horizon, cell.before is not None, cell.after is not None) for cell in found.cells] == [
        (3, True, True),
        (5, False, True),
        (1, True, False),
    ]
    assert found.cells[0].changed == ("candles",) and found.candles == {"BTCUSDT": 1}
    assert found.cells[0].gain == pytest.approx(0.02) == found.mean_gain
    assert found.configuration == {"horizons": ("1, 3", "3, 5")} and found.code == {}
    other = compare_nights(night.database, first, third)
    assert other.cells[0].changed == ("configuration", "code") and other.candles == {}
    assert other.configuration == {"n_splits": ("5", "4")} and other.code == {"numpy": ("2.2", "2.3")}


def test_a_night_that_does_not_exist_is_named(night: Night) -> None:
    with pytest.raises(NotFoundError, match="there is no night 9"):
        compare_nights(night.database, night.begin(), 9)
