import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from common.errors import DataError
from common.model_pickle import pickle_bytes, pickle_digest
from common.protocol.faults import report_fault
from common.protocol.jobs import Cell, TrainingSpec
from common.protocol.reports import Checkpoint, Manifest, Span, TrainingReport
from common.settings.sections import Label
from common.timeframes import Timeframe
from trainer.artifact import SyntheticModelWarning, load
from trainer.candles.candles import Candles
from trainer.candles.moments import moment_of
from trainer.features import indicators as features
from trainer.features.matrix import open_features
from trainer.pipeline import train

ROOT = Path(__file__).parents[2]


def spec_of(candles, horizon=1, **changes):
    own = next(iter(candles.values()))
    values = {
        "cell": Cell(symbol=own.symbol, timeframe=own.timeframe, horizon=horizon),
        "n_splits": 5,
        "embargo_minutes": 30,
        "Cs": (0.0001, 0.01, 1.0),
        "min_train_rows": 100,
        "min_test_rows": 40,
        "data_digests": {timeframe: found.digest for timeframe, found in candles.items()},
        "synthetic": True,
    }
    return TrainingSpec(**(values | changes))


class Trainer:
    """Trains with checkpoints kept as the JSON that a coordinator would keep."""

    def __init__(self, cache):
        self.cache = cache
        self.checkpoints = []
        self.stages = []
        self.stop_after = None

    def load(self):
        return Checkpoint.model_validate_json(self.checkpoints[-1]) if self.checkpoints else None

    def save(self, checkpoint):
        self.checkpoints.append(checkpoint.model_dump_json())
        if len(checkpoint.folds) == self.stop_after:
            raise KeyboardInterrupt

    def train(self, candles, spec=None, champion=None):
        by_timeframe = {found.timeframe: found for found in candles}
        spec = spec or spec_of(by_timeframe)
        report = train(
            spec,
            by_timeframe.get,
            self.cache,
            self.load,
            self.save,
            champion,
            lambda *step: self.stages.append(step),
        )
        own = by_timeframe[spec.cell.timeframe]
        surveyed = Span(start=moment_of(own.open_time[0]), end=moment_of(own.close_time[-1]))
        arrived = TrainingReport.model_validate_json(report.model_dump_json())
        assert report_fault(arrived, spec, len(own), surveyed) == "", "a coordinator would refuse it"
        return report


@pytest.fixture
def trainer(tmp_path):
    return Trainer(tmp_path)


@pytest.fixture(scope="module")
def hours(simulate):
    return simulate(24 * 100, autocorrelation=0.15)


@pytest.fixture(scope="module")
def days(hours, coarser):
    return coarser(hours, "1d")


def undisturbed(report):
    return report.model_copy(update={"stage_seconds": {}, "resumed_folds": 0}).model_dump_json()


def best_auc(correlation):
    """The area under the curve of the sign of one of two standard normals, ordered by the other."""
    slope = correlation / np.sqrt(1 - correlation**2)

    def density(x):
        return 2 * norm.pdf(x) * norm.cdf(slope * x)

    def below(x):
        return quad(lambda t: 2 * norm.pdf(t) * norm.cdf(-slope * t), -np.inf, x)[0]

    return quad(lambda x: density(x) * below(x), -8, 8)[0]


@pytest.mark.parametrize("autocorrelation", [0.2, -0.1])
def test_a_planted_signal_is_found_as_well_as_it_can_be(trainer, simulate, autocorrelation):
    report = trainer.train([simulate(30_000, autocorrelation=autocorrelation)])
    possible = best_auc(abs(autocorrelation))
    # The standard error of an area over 25,000 rows is 0.004.
    assert possible - 0.015 < report.scores.auc < possible + 0.012
    assert report.p_value < 1e-3
    assert report.scores.brier < 0.25
    assert report.certificate.valid


def test_noise_is_not_significant(trainer, simulate):
    p_values = [trainer.train([simulate(3000, seed=seed)]).p_value for seed in range(12)]
    # Of 12 uniform p-values the least is below 0.002 once in forty times.
    assert min(p_values) > 0.002
    assert np.median(p_values) > 0.2


def test_overlapping_labels_of_noise_are_not_significant_either(trainer, simulate):
    p_values = []
    for seed in range(8):
        candles = simulate(3000, seed=seed)
        p_values.append(trainer.train([candles], spec_of({"1h": candles}, horizon=5)).p_value)
    assert min(p_values) > 0.002
    assert np.median(p_values) > 0.2


def test_a_report_tells_the_walk_forward_in_times(trainer, hours, days):
    report = trainer.train([hours, days])
    assert [fold.index for fold in report.folds] == [0, 1, 2, 3, 4]
    minutes = 60 * 1000
    for fold in report.folds:
        gap = (fold.test_span.start - fold.last_train_label_end).total_seconds() / 60 + 60
        assert gap >= 30
        assert (fold.train_span.end - fold.train_span.start).total_seconds() / 3600 == fold.train_rows
    assert (
        report.span.start.timestamp() * 1000
        == hours.close_time[0] + 20 * 24 * 60 * minutes + 22 * 60 * minutes
    )
    assert report.rows == sum(fold.test_rows for fold in report.folds) + report.folds[0].train_rows + 1
    assert report.scores.n == sum(fold.test_rows for fold in report.folds)
    assert report.manifest.trained_span.end == report.span.end + (
        report.span.end - report.span.end.replace(hour=22)
    )
    names = [check.name for check in report.certificate.checks]
    assert names == [
        "features",
        "labels",
        "models",
        "scaler",
        "coefficients",
        "losses",
        "C",
        "recalibration",
        "scores",
        "edge",
    ]


def test_features_and_lineage_name_the_context_that_was_read(trainer, hours, days):
    manifest = trainer.train([hours, days]).manifest
    assert manifest.features[: len(features.NAMES)] == features.NAMES
    assert manifest.features[-1] == "context_1d_volatility_20"
    assert manifest.lineage["candles_1h"] == hours.digest
    assert manifest.lineage["candles_1d"] == days.digest
    assert {"configuration", "numpy", "scipy", "scikit-learn", "ta-lib", "nighttrain"} <= set(
        manifest.lineage
    )


def test_two_trainings_are_equal_to_the_last_digit(tmp_path, hours, days):
    reports = [Trainer(tmp_path / str(number)).train([hours, days]) for number in range(2)]
    assert undisturbed(reports[0]) == undisturbed(reports[1])


def test_another_process_gives_the_same_digits_and_imports_nothing_for_it(tmp_path, trainer, hours):
    np.savez(tmp_path / "columns.npz", **hours.columns)
    code = """
import hashlib, sys
import numpy as np
from pathlib import Path
from common.protocol.jobs import TrainingSpec
from common.timeframes import Timeframe
from trainer.candles.candles import Candles
from trainer.candles.moments import moment_of
from trainer.pipeline import train
columns = dict(np.load("columns.npz"))
candles = Candles.of("BTCUSDT", Timeframe.H1, columns)
spec = TrainingSpec.model_validate_json(sys.stdin.read())
found = {"1h": candles}.get
imported = set(sys.modules)
report = train(spec, found, Path("other"), lambda: None, lambda _: None, None, lambda *_: None)
print(hashlib.sha256(report.manifest.model_dump_json().encode()).hexdigest())
print(*(name for name in set(sys.modules) - imported if name.startswith(("numpy", "scipy"))))
"""
    report = trainer.train([hours])
    other = subprocess.run(
        [sys.executable, "-c", code],
        input=spec_of({"1h": hours}).model_dump_json(),
        env={**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    digest, imported = other.stdout.splitlines()
    assert digest == hashlib.sha256(report.manifest.model_dump_json().encode()).hexdigest()
    # Each child of a trainer would have to import it anew.
    assert imported == ""


@pytest.mark.parametrize("done", [1, 2, 3, 4, 5])
def test_a_job_that_was_stopped_after_any_fold_ends_as_if_nobody_had_disturbed_it(tmp_path, hours, done):
    expected = Trainer(tmp_path / "calm").train([hours])
    trainer = Trainer(tmp_path / "stopped")
    trainer.stop_after = done
    with pytest.raises(KeyboardInterrupt):
        trainer.train([hours])
    trainer.stop_after = None
    report = trainer.train([hours])
    assert report.resumed_folds == done
    assert len(trainer.checkpoints) == 5
    assert undisturbed(report) == undisturbed(expected)


def test_a_checkpoint_of_other_inputs_is_not_used(trainer, hours, simulate):
    trainer.train([hours])
    assert trainer.train([hours]).resumed_folds == 5
    assert trainer.train([simulate(24 * 100, seed=9)]).resumed_folds == 0
    assert trainer.train([hours], spec_of({"1h": hours}, embargo_minutes=60)).resumed_folds == 0
    assert trainer.train([hours]).resumed_folds == 0


def test_a_malformed_checkpoint_counts_as_none_and_is_told_of(trainer, hours, caplog):
    expected = trainer.train([hours])
    saved = Checkpoint.model_validate_json(trainer.checkpoints[-1])
    first, *rest = saved.folds
    for wrong in ({"means": first.means[1:]}, {"train_rows": first.train_rows - 1}, {"intercepts": ()}):
        caplog.clear()
        forged = saved.model_copy(update={"folds": (first.model_copy(update=wrong), *rest)})
        trainer.checkpoints = [forged.model_dump_json()]
        again = trainer.train([hours])
        assert again.resumed_folds == 0
        assert undisturbed(again) == undisturbed(expected)
        assert "its checkpoint is malformed and counts as none: fold 1" in caplog.text


def test_missing_candles_still_give_a_certified_model(trainer, simulate):
    candles = simulate(
        5000, autocorrelation=0.3, missing=[*range(400, 460), 1000, 2222, *range(3000, 3100, 7)]
    )
    report = trainer.train([candles], spec_of({"1h": candles}, horizon=3))
    assert report.certificate.valid
    assert report.p_value < 0.05


def test_progress_goes_from_features_to_the_report_and_never_back(trainer, hours):
    trainer.train([hours])
    names = list(dict.fromkeys(stage for stage, _, _ in trainer.stages))
    assert names == [
        "features",
        "labels",
        "folds",
        "final",
        "recalibration",
        "significance",
        "certificate",
        "champion",
        "report",
    ]
    done = [step for _, step, _ in trainer.stages]
    assert done == sorted(done)
    assert trainer.stages[-2:] == [("champion", 11, 12), ("report", 12, 12)]


def test_a_resumed_job_counts_its_finished_folds_as_done(trainer, hours):
    trainer.train([hours])
    trainer.stages.clear()
    trainer.train([hours])
    assert trainer.stages[-2:] == [("champion", 11, 12), ("report", 12, 12)]


def named(manifest):
    return manifest.model_copy(update={"pickle_sha256": pickle_digest(manifest)})


def test_a_champion_is_scored_on_the_rows_it_had_not_seen(trainer, hours, simulate):
    first = trainer.train([hours.until(2000)], spec_of({"1h": hours.until(2000)})).manifest
    champion = named(first)
    report = trainer.train([hours], champion=champion)
    assert report.champion.champion == champion.pickle_sha256
    assert report.champion.rows_compared == report.scores.n
    assert abs(report.champion.scores.log_loss - report.champion.challenger_scores.log_loss) < 0.01
    itself = trainer.train([hours], champion=named(report.manifest))
    assert itself.champion.scores == itself.champion.challenger_scores
    # Of predictions that are equal to the last digit none is worse, which rounding would not say of itself.
    assert itself.champion.challenger_worse_p_value == 1.0
    assert itself.champion.retest.record_p_value == report.p_value


def test_the_files_of_the_model_predict_what_the_manifest_predicts(trainer, tmp_path, hours):
    report = trainer.train([hours])
    manifest, content = named(report.manifest), pickle_bytes(report.manifest)
    path = tmp_path / "model.pkl"
    path.write_bytes(content)
    path.with_suffix(".json").write_text(manifest.model_dump_json())
    read = Manifest.model_validate_json(path.with_suffix(".json").read_bytes())
    assert read == manifest
    X = np.array(open_features(tmp_path, hours, [hours]).values, dtype=np.float64)
    logits = read.intercept + ((X - read.means) / read.scales) @ np.array(read.coefficients)
    with pytest.warns(SyntheticModelWarning):
        loaded = load(path)
    assert np.abs(loaded.predict_proba(X)[:, 1] - 1 / (1 + np.exp(-logits))).max() < 1e-12


def test_candles_that_changed_since_the_survey_are_a_data_error(trainer, hours, simulate):
    spec = spec_of({"1h": hours})
    with pytest.raises(
        DataError, match=r"BTCUSDT 1h: candles changed since the survey \(run again with --fresh\)"
    ):
        trainer.train([simulate(2400, seed=4)], spec)


def test_candles_that_are_gone_are_a_data_error(trainer, hours):
    with pytest.raises(DataError, match="BTCUSDT 1d: the surveyed candles are not in the cache"):
        trainer.train([hours], spec_of({"1h": hours}, data_digests={"1h": hours.digest, "1d": "0"}))


def test_too_few_rows_are_a_data_error_with_figures(trainer, simulate):
    with pytest.raises(DataError, match="BTCUSDT_1h_H1: fold 1 of 5 has 65 rows to train on, needed are 100"):
        trainer.train([simulate(60 + 400)])


def test_rows_that_gaps_took_are_a_data_error_that_blames_the_gaps(trainer, simulate):
    sparse = simulate(5000, missing=range(62, 5000, 63))
    with pytest.raises(
        DataError, match=r"needed are 100 \(.* rows in all; gaps in the candles took [\d,]+ of"
    ):
        trainer.train([sparse])


def test_a_market_that_stands_still_is_a_data_error(trainer, simulate):
    candles = simulate(2000)
    candles.close[:] = 7.0
    with pytest.raises(DataError, match="the close does not move in 1939 of 1939 rows"):
        trainer.train([candles])


def walk_of_ticks(seed, by_day=True, rows=8000):
    """A coin of 400 ticks that moves in three of ten hours, by day or at any; nothing tells where to."""
    draw = np.random.default_rng(seed)
    hour = np.arange(rows) % 24
    by_hour = np.where((hour >= 8) & (hour < 20), 0.5, 0.1)
    moves = draw.random(rows) < (by_hour if by_day else 0.3)
    close = (400 + np.cumsum(np.where(moves, draw.choice([-1, 1], rows), 0))) * 1e-8
    opened = np.append(close[:1], close[:-1])
    columns = {
        "open_time": 1_700_006_400_000 + np.arange(rows, dtype=np.int64) * 3_600_000,
        "open": opened,
        "high": np.maximum(opened, close),
        "low": np.minimum(opened, close),
        "close": close,
        "volume": 1e5 * (0.2 + moves),
    }
    return Candles.of("HOTBTC", Timeframe.H1, columns)


@pytest.mark.parametrize("by_day", [True, False])
def test_whether_a_bar_moves_earns_nothing(tmp_path, by_day):
    for seed in (1, 2, 3):
        report = Trainer(tmp_path / str(seed)).train([walk_of_ticks(seed, by_day)])
        assert report.ties.share == pytest.approx(0.7, abs=0.02)
        assert report.rows + report.ties.rows == 8000 - features.WARM_UP - 1
        # The standard error of an area over 2,000 moves is 0.013.
        assert abs(report.scores.auc - 0.5) < 0.045
        assert report.ties.auc_with_ties is not None
        assert report.p_value > 0.01
        assert abs(report.edge.edge_bp) < 3 * report.edge.standard_error_bp
        assert report.certificate.valid


def test_with_costs_whether_a_bar_moves_earns_nothing_either_and_no_row_is_left_out(tmp_path):
    for seed in (1, 2, 3):
        candles = walk_of_ticks(seed)
        spec = spec_of({candles.timeframe: candles}, label=Label(kind="beyond_costs", costs_bp=10))
        report = Trainer(tmp_path / str(seed)).train([candles], spec)
        assert (report.rows, report.ties.rows) == (8000 - features.WARM_UP - 1, 0)
        # One tick is 25 bp: the moves are what is beyond the costs.
        assert report.edge.beyond_costs_share == pytest.approx(0.3, abs=0.03)
        assert abs(report.scores.auc - 0.5) < 0.03
        assert report.p_value > 0.01
        assert report.certificate.valid, report.certificate


def test_with_costs_a_signal_is_found_and_the_certificate_names_the_label(trainer, simulate):
    candles = simulate(12_000, autocorrelation=0.2)
    label = Label(kind="beyond_costs", costs_bp=30)
    spec = spec_of({candles.timeframe: candles}, label=label)
    report = trainer.train([candles], spec)
    assert report.scores.auc > 0.53
    assert report.p_value < 1e-6
    assert report.edge.edge_bp > 10 * report.edge.standard_error_bp
    assert 0.4 < report.edge.beyond_costs_share < 0.7
    assert report.certificate.valid, report.certificate
    assert report.manifest.label == label
    [labels] = [check for check in report.certificate.checks if check.name == "labels"]
    assert labels.detail.endswith("beyond_costs of 30 bp")
    # A checkpoint of one label is not gone on from with another.
    other = trainer.train([candles], spec_of({candles.timeframe: candles}))
    assert other.resumed_folds == 0
    assert other.manifest.label == Label()
    assert trainer.train([candles], spec, champion=other.manifest).champion.scores is None


def test_a_cell_that_hardly_moves_beyond_the_costs_is_refused_with_what_to_do(trainer, simulate):
    candles = simulate(3000, volatility=0.0005)
    spec = spec_of({candles.timeframe: candles}, label=Label(kind="beyond_costs", costs_bp=20))
    with pytest.raises(
        DataError, match=r"rows that move beyond the costs to train on, needed are 100"
    ) as told:
        trainer.train([candles], spec)
    assert "lower label.costs_bp" in told.value.hint


def test_closes_that_never_rise_are_a_data_error_in_words(trainer, simulate):
    candles = simulate(2000)
    candles.close[:] = 1e6 - np.arange(2000)
    with pytest.raises(DataError, match="one class only: the close falls after all"):
        trainer.train([candles])


def test_a_report_holds_what_is_drawn_of_its_predictions(trainer, hours):
    report = trainer.train([hours])
    assert report.curves.null.observed == pytest.approx(report.scores.auc, abs=1e-5)
    assert sum(one.rows for one in report.curves.reliability) == report.scores.n
    assert len(report.curves.model_dump_json()) < 4096
