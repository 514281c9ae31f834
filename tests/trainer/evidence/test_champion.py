from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from common.protocol.jobs import Cell
from common.protocol.reports import Certificate, FoldModel, Manifest, Obstacle, Scores, Span
from common.settings.sections import Label
from tests.trainer.learning.formula import said_by
from trainer.candles.moments import moment_of
from trainer.evidence.champion import compare, lost_p_value, record_of
from trainer.evidence.known import Known
from trainer.evidence.means import mean_p_value
from trainer.evidence.significance import auc_p_value
from trainer.features.indicators import FEATURE_VERSION
from trainer.features.labels import LABEL_VERSION, Labels
from trainer.features.matrix import FeatureMatrix
from trainer.learning.design_matrix import DesignMatrix
from trainer.learning.logistic_model import LogisticModel
from trainer.learning.scores import row_losses, score
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
        "label_version": LABEL_VERSION,
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
        folds=(Fold(0, FIRST, FIRST, ROWS, ROWS),),
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


def test_what_is_known_of_equal_predictions_is_not_found_out_again(rows, monkeypatch):
    data, _ = rows
    y, present = data.labels.y[FIRST:], champion([model(20, -1.0), model(50, 0.5), model(70, 1.0)], 90)
    p = record_of(present, data).p
    anew, known_before = compare(present, CELL, data, p), Known()
    known_before.scores_and_test(p, y, data.horizon, data.memory)
    for name in ("score", "rank_sum"):
        monkeypatch.setattr(f"trainer.evidence.known.{name}", refused)
    assert compare(present, CELL, data, p, known_before) == anew
    assert anew.challenger_worse_p_value == 1.0 and anew.scores == anew.challenger_scores
    with pytest.raises(AssertionError, match="found out again"):
        compare(present, CELL, data, np.nextafter(p, 1.0), known_before)


def refused(*_):
    raise AssertionError("it is found out again")


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
    ("changes", "obstacle", "reason"),
    [
        ({"feature_version": "0"}, Obstacle.FEATURES, "version 0"),
        ({"features": ("a", "c")}, Obstacle.FEATURES, "other columns"),
        ({"label_version": "1"}, Obstacle.LABELS, "labels are of version 1, not"),
        ({"label_version": ""}, Obstacle.LABELS, "labels are of version unknown, not"),
        ({"label": Label(kind="beyond_costs")}, Obstacle.LABELS, "predicts beyond_costs of 10 bp, not dir"),
        ({"cell": Cell(symbol="BTCUSDT", timeframe="1m", horizon=3)}, Obstacle.CELL, "BTCUSDT_1m_H3"),
        ({"means": (0.0,)}, Obstacle.MALFORMED, "its final model has 1 means for 2 columns"),
        ({"fold_models": (model(30, 0), model(20, 0))}, Obstacle.MALFORMED, "not in order of time"),
    ],
)
def test_a_champion_that_cannot_be_scored_is_not_and_it_is_said_why(rows, changes, obstacle, reason):
    found = compare(champion(**({"fold_models": [model(20, 0.0)], "final_until": 90} | changes)), CELL, *rows)
    assert (found.scores, found.rows_compared, found.retest) == (None, 0, None)
    assert found.obstacle is obstacle
    assert reason in found.detail


# --- After its training -------------------------------------------------------------------------------------


def known(rows, until, strength=1.0, seed=1, promised=0.6):
    """A champion, and rows of which its first column knows the label, the better the greater the strength."""
    data, _ = rows
    values = np.random.default_rng(seed).standard_normal((ROWS, 2)).astype(np.float32)
    values[:, 0] += strength * (data.labels.y - 0.5)
    data = replace(data, design=DesignMatrix(values, data.labels.row))
    scores = Scores(auc=promised, brier=0.25, accuracy=0.5, log_loss=0.69, base_rate=0.5, n=1)
    present = champion([model(20, 0.0)], until, coefficients=(1.0, 0.0), intercept=0.0, scores=scores)
    return present, CELL, data


def test_only_rows_after_the_training_and_the_embargo_test_the_final_model(rows):
    present, _, data = known(rows, 41)
    found = compare(present, CELL, data, rows[1])
    y = data.labels.y
    assert found.retest.rows == 100 - 46
    assert found.retest.span == data.span(46, 100)
    p = said_by(LogisticModel.of((0, 0), (1, 1), (1.0, 0.0), 0.0), data.design, 46, 100)
    assert found.retest.scores.model_dump() == pytest.approx(score(p, y[46:]).model_dump(), rel=1e-14)
    assert found.retest.challenger_scores == score(rows[1][6:], y[46:])
    assert found.retest.floor_auc == pytest.approx(0.525)
    assert found.retest.lost_p_value == lost_p_value(p, y[46:], 0.6, 1)
    whole = np.concatenate([np.full(6, 0.5), p])
    assert found.retest.record_p_value == auc_p_value(whole, y[40:], 1)
    above = row_losses(rows[1][6:], y[46:]) - row_losses(p, y[46:])
    assert (found.challenger_worse_p_value, found.challenger_worse_rows) == (mean_p_value(above, 1), 54)


def test_with_too_few_new_rows_nothing_is_judged_and_losses_are_paired_on_all_rows(rows):
    found = compare(*known(rows, 60), rows[1])
    assert found.retest.rows == 35 and found.retest.scores is not None
    assert found.retest.lost_p_value is None
    assert found.challenger_worse_rows == 60 and found.challenger_worse_p_value is not None


def test_without_new_rows_there_is_nothing_to_test_but_the_record(rows):
    found = compare(*known(rows, 200), rows[1])
    assert (found.retest.rows, found.retest.span, found.retest.scores) == (0, None, None)
    assert found.retest.record_p_value is not None


def test_an_edge_that_has_turned_round_is_lost_and_one_that_is_kept_is_not(rows):
    lost = [compare(*known(rows, 41, -1.0, seed), rows[1]).retest.lost_p_value for seed in range(5)]
    kept = [compare(*known(rows, 41, 1.0, seed), rows[1]).retest.lost_p_value for seed in range(5)]
    assert max(lost) < 0.05 < min(kept)


def test_labels_of_one_class_judge_no_edge():
    assert lost_p_value(np.linspace(0, 1, 80), np.ones(80), 0.6, 1) is None


def test_labels_that_overlap_need_more_rows():
    y = np.tile([0.0, 1.0], 40)
    assert lost_p_value(np.linspace(0, 1, 80), y, 0.6, 8) is not None
    assert lost_p_value(np.linspace(0, 1, 80), y, 0.6, 9) is None
