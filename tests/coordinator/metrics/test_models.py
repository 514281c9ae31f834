"""What the metrics report of the models of a run."""

from __future__ import annotations

import pytest

from tests.coordinator.metrics.scraped import CELL, ONE_CELL, ended, scraped, surveyed
from tests.coordinator.specimens import (
    Night,
)


class TestModels:
    def test_scores_and_refusals_are_reported_by_cell_and_reason(self, night: Night) -> None:
        boot = surveyed(night)
        night.succeed(night.grant(boot), auc=0.51, p_value=0.5)
        scrape = scraped(night)
        assert scrape("cell_auc_ratio", **CELL) == 0.51
        assert scrape("cell_brier_ratio", **CELL) == 0.245
        assert scrape("cell_promoted", **CELL) is None
        night.housekeeping.tick()
        scrape = scraped(night)
        assert (scrape("cell_promoted", **CELL), scrape("run_promoted_models")) == (0, 0)
        refused = {
            reason: scrape("run_refused_models", reason=reason) for reason in ("auc", "significance", "brier")
        }
        assert refused == {"auc": 1, "significance": 1, "brier": 0}

    def test_one_class_only_has_no_auc(self, night: Night) -> None:
        boot = surveyed(night)
        night.succeed(night.grant(boot), auc=None)
        scrape = scraped(night)
        assert (scrape("cell_auc_ratio", **CELL), scrape("cell_accuracy_ratio", **CELL)) == (None, 0.54)

    def test_a_run_is_measured_by_the_five_before_it_of_its_kind(self, night: Night) -> None:
        for auc in (0.51, 0.52, 0.53, 0.54, 0.55, 0.56):
            ended(night, auc=auc)
            night.clock.advance(60)
        night.begin(**{**ONE_CELL, "n_splits": 4})
        scrape = scraped(night)
        assert (scrape("earlier_runs"), scrape("earlier_runs_auc_mean_ratio")) == (0, None)
        night.cancel(7)
        night.begin(**ONE_CELL)
        scrape = scraped(night)
        assert scrape("earlier_runs") == 5
        assert scrape("earlier_runs_auc_mean_ratio") == pytest.approx(0.54)
        boot = night.register()
        # Synthetic candles are no measure for real ones, nor the other way round.
        night.survey_all(boot, synthetic=True)
        assert scraped(night)("earlier_runs") == 0
