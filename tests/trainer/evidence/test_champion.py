from pathlib import Path

import numpy as np
import pytest

from common.protocol.jobs import Cell
from common.protocol.reports import Certificate, FoldModel, Manifest, Scores, Span
from trainer.candles.moments import moment_of
from trainer.evidence.champion import compare
from trainer.features.indicators import FEATURE_VERSION
from trainer.features.labels import Labels
from trainer.features.matrix import FeatureMatrix
from trainer.learning.design_matrix import DesignMatrix
from trainer.learning.scores import score
from trainer.learning.splits import Fold
from trainer.learning.training_set import TrainingSet

CELL = Cell(symbol="BTCUSDT", timeframe="1m", horizon=1)
MINUTE = 60_000
NAMES = ("a", "b")
ROWS, FIRST = 100, 40


def model(minute, intercept):
    return FoldModel(
        trained_until=moment_of(minute * MINUTE),
        means=(0, 0),
        scales=(1, 1),
        coefficients=(0, 0),
        intercept=intercept,
    )


def champion(fold_models, final_until, **changes):
    values = {
        "cell": CELL,
        "synthetic": False,
        "features": NAMES,
        "feature_version": FEATURE_VERSION,
        "means": (0, 0),
        "scales": (1, 1),
        "coefficients": (0, 0),
        "intercept": 3.0,
        "C": 1.0,
        "fold_models": tuple(fold_models),
        "embargo_minutes": 5,
        "trained_rows": 10,
        "trained_span": Span(start=moment_of(0), end=moment_of(final_until * MINUTE)),
        "scores": Scores(auc=0.5, brier=0.25, accuracy=0.5, log_loss=0.69, base_rate=0.5, n=1),
        "p_value": 0.5,
        "certificate": Certificate(checks=()),
        "lineage": {},
        "pickle_sha256": "ab" * 32,
    }
    return Manifest(**(values | changes))


@pytest.fixture
def rows(simulate):
    draw = np.random.default_rng(0)
    values = draw.standard_normal((ROWS, 2)).astype(np.float32)
    row, close_time = np.arange(ROWS), np.arange(ROWS) * MINUTE
    y = draw.integers(0, 2, ROWS).astype(float)
    data = TrainingSet(
        candles=simulate(ROWS, "1m"),
        context=(),
        matrix=FeatureMatrix(NAMES, (), values, row, close_time, "", Path("none")),
        labels=Labels(row, y, close_time, close_time + MINUTE),
        design=DesignMatrix(values, row),
        folds=(Fold(0, FIRST, FIRST, ROWS),),
        horizon=1,
        embargo_ms=0,
    )
    return data, draw.random(ROWS - FIRST)


def logistic(x):
    return 1 / (1 + np.exp(-x))


def test_each_row_is_predicted_by_the_latest_model_that_had_not_seen_it(rows):
    data, p = rows
    y = data.labels.y
    present = champion([model(20, -1.0), model(50, 0.5), model(70, 1.0)], 90)
    found = compare(present, CELL, *rows)
    # Models count from 5 minutes after their training ended: 25, 55, 75 and, the final one, 95.
    expected = np.repeat(logistic(np.array([-1.0, 0.5, 1.0, 3.0])), [15, 20, 20, 5])
    assert found.rows_compared == 60
    assert found.scores == score(expected, y[40:])
    assert found.challenger_scores == score(p, y[40:])
    assert found.champion == "ab" * 32


def test_rows_before_the_champions_first_model_are_left_out_for_both(rows):
    data, p = rows
    y = data.labels.y
    found = compare(champion([model(60, -1.0)], 200), CELL, *rows)
    assert found.rows_compared == 35
    assert found.scores == score(np.full(35, logistic(-1.0)), y[65:])
    assert found.challenger_scores == score(p[25:], y[65:])


def test_a_row_that_closes_exactly_an_embargo_after_training_is_unseen(rows):
    y = rows[0].labels.y
    found = compare(champion([model(90, -1.0)], 94), CELL, *rows)
    assert found.rows_compared == 5
    assert found.scores == score(logistic(np.array([-1.0, -1.0, -1.0, -1.0, 3.0])), y[95:])


def test_a_champion_of_the_far_past_is_its_final_model(rows):
    y = rows[0].labels.y
    found = compare(champion([model(1, -1.0), model(2, 0.5)], 3), CELL, *rows)
    assert found.scores == score(np.full(60, logistic(3.0)), y[40:])


def test_a_champion_that_has_seen_everything_is_not_scored(rows):
    found = compare(champion([], 500), CELL, *rows)
    assert (found.scores, found.challenger_scores, found.rows_compared) == (None, None, 0)
    assert "has seen all" in found.detail


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"feature_version": "0"}, "version 0"),
        ({"features": ("a", "c")}, "other columns"),
        ({"cell": Cell(symbol="BTCUSDT", timeframe="1m", horizon=3)}, "BTCUSDT_1m_H3"),
    ],
)
def test_a_champion_of_other_features_or_another_cell_is_not_scored_and_it_is_said_why(rows, changes, reason):
    found = compare(champion([model(20, 0.0)], 90, **changes), CELL, *rows)
    assert (found.scores, found.rows_compared) == (None, 0)
    assert reason in found.detail
