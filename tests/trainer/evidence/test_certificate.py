import dataclasses

import numpy as np
import pytest

from common.protocol.reports import FoldReport, Scores, Span
from trainer.candles.moments import moment_of
from trainer.evidence.certificate import check_choice, check_features, check_labels, check_scalers
from trainer.features import context as context_module
from trainer.features import indicators as features
from trainer.features.matrix import open_features
from trainer.learning.splits import walk_forward
from trainer.learning.training_set import TrainingSet

CS = (0.01, 0.1, 1.0)
EMBARGO_MS = 2 * 3_600_000
SCORES = Scores(auc=0.5, brier=0.25, accuracy=0.5, log_loss=0.69, base_rate=0.5, n=1)


@pytest.fixture(scope="module")
def days(simulate):
    return simulate(125, "1d")


@pytest.fixture
def hours(simulate):
    return simulate(24 * 125, missing=[800, 801, 1500])


def reports_of(folds, data, labels=None):
    labels, interval, reports = labels or data.labels, data.candles.interval_ms, []
    for fold in folds:
        rows = data.design.values[data.design.row[: fold.train_stop]].astype(float)
        losses = [(0.7, 0.6, 0.65), (0.5, 0.9, 0.9), (0.7, 0.7, 0.7)][fold.index]
        reports.append(
            FoldReport(
                index=fold.index,
                train_rows=fold.train_stop,
                test_rows=fold.test_stop - fold.test_start,
                train_span=Span(
                    start=moment_of(labels.close_time[0] - interval),
                    end=moment_of(labels.close_time[fold.train_stop - 1]),
                ),
                test_span=Span(
                    start=moment_of(labels.close_time[fold.test_start] - interval),
                    end=moment_of(labels.close_time[fold.test_stop - 1]),
                ),
                last_train_label_end=moment_of(labels.end[fold.train_stop - 1]),
                C=(0.1, 0.1, 0.01)[fold.index],
                C_chosen_from=tuple(range(fold.index)),
                log_losses=losses,
                means=rows.mean(axis=0).tolist(),
                scales=np.where(rows.std(axis=0) < 1e-6, 1.0, rows.std(axis=0)).tolist(),
                coefficients=((0.0,),) * 3,
                intercepts=(0.0,) * 3,
                iterations=1,
                scores=SCORES,
            )
        )
    return reports


class Job:
    """What an honest training of one cell claims."""

    def __init__(self, hours, cache, context=(), horizon=3):
        self.matrix = open_features(cache, hours, context)
        self.data = TrainingSet.of(hours, context, self.matrix, horizon, 3, EMBARGO_MS)
        self.folds = self.data.folds
        self.reports = reports_of(self.folds, self.data)
        rows = self.matrix.values[self.data.labels.row].astype(float)
        self.scaler = rows.mean(axis=0), np.where(rows.std(axis=0) < 1e-6, 1.0, rows.std(axis=0))

    def check_features(self, **changes):
        return check_features(
            dataclasses.replace(self.data, matrix=dataclasses.replace(self.matrix, **changes))
        )

    def check_labels(self, labels=None, reports=None):
        data = dataclasses.replace(self.data, labels=labels or self.data.labels)
        return check_labels(data, reports or self.reports)

    def check_scalers(self, reports=None, scaler=None):
        return check_scalers(self.data, reports or self.reports, scaler or self.scaler)


@pytest.fixture
def job(hours, tmp_path):
    return Job(hours, tmp_path)


def with_report(reports, index, **changes):
    return [report.model_copy(update=changes) if report.index == index else report for report in reports]


def test_an_honest_training_passes_every_check(job):
    checks = [
        job.check_features(),
        job.check_labels(),
        job.check_scalers(),
        check_choice(job.reports, CS, 0.01),
    ]
    assert [(check.name, check.passed) for check in checks] == [
        ("features", True),
        ("labels", True),
        ("scaler", True),
        ("C", True),
    ], checks
    assert all(check.checked > 0 for check in checks)


def test_features_with_context_pass(hours, days, tmp_path):
    job = Job(hours, tmp_path, [days])
    assert job.matrix.contexts == ("1d",)
    check = job.check_features()
    assert check.passed, check


def leaky_next_close(original):
    def columns(bars):
        found = original(bars)
        found["return_1"] = np.append(found["return_1"][1:], 0.0)
        return found

    return columns


def leaky_whole_block_mean(original):
    def columns(bars):
        found = original(bars)
        found["return_1"] = found["return_1"] - np.nanmean(found["return_1"])
        return found

    return columns


def leaky_window_in_the_middle(original):
    def columns(bars):
        found = original(bars)
        found["volatility_5"] = np.convolve(found["volatility_5"], np.ones(5) / 5, "same")
        return found

    return columns


@pytest.mark.parametrize("leak", [leaky_next_close, leaky_whole_block_mean, leaky_window_in_the_middle])
def test_a_feature_that_looks_ahead_fails_and_is_named(hours, tmp_path, monkeypatch, leak):
    monkeypatch.setattr(features, "_returns", leak(features._returns))
    check = Job(hours, tmp_path).check_features()
    assert not check.passed
    assert ("volatility_5" if leak is leaky_window_in_the_middle else "return_1") in check.detail


def test_context_of_a_bar_that_has_not_closed_fails(hours, days, tmp_path, monkeypatch):
    def known_at_its_opening(candles):
        frame = original(candles)
        return dataclasses.replace(frame, close_time=frame.close_time - candles.interval_ms)

    original = context_module.context_frame
    with monkeypatch.context() as patch:
        patch.setattr("trainer.features.matrix.context_frame", known_at_its_opening)
        job = Job(hours, tmp_path, [days])
    assert not job.check_features().passed


def test_context_that_looks_ahead_fails(hours, days, tmp_path, monkeypatch):
    def centred(candles):
        frame = original(candles)
        values = np.roll(frame.values, -1, axis=0) if len(frame.values) else frame.values
        return dataclasses.replace(frame, values=values)

    original = context_module.context_frame
    for module in ("features.matrix", "evidence.certificate"):
        monkeypatch.setattr(f"trainer.{module}.context_frame", centred)
    check = Job(hours, tmp_path, [days]).check_features()
    assert not check.passed
    assert "context_1d" in check.detail


def test_a_matrix_that_was_altered_fails(job):
    values = np.array(job.matrix.values)
    values[:, 5] = np.nextafter(values[:, 5], np.float32(20))
    check = job.check_features(values=values)
    assert not check.passed
    assert job.matrix.names[5] in check.detail


def test_the_features_are_checked_once_a_matrix(job, monkeypatch):
    first = job.check_features()
    monkeypatch.setattr("trainer.evidence.certificate.matrix_rows", None)
    assert job.check_features() == first
    with pytest.raises(TypeError):
        job.check_features(digest="0" * 64)


def test_a_damaged_memory_of_the_check_is_not_believed(job):
    first = job.check_features()
    job.matrix.path.with_suffix(".certificate.json").write_text('{"digest": "')
    assert job.check_features() == first


def test_one_training_row_too_many_fails(job):
    fold = dataclasses.replace(job.folds[1], train_stop=job.folds[1].train_stop + 1)
    leaky = reports_of([job.folds[0], fold], job.data)
    check = job.check_labels(reports=leaky)
    assert not check.passed
    assert (
        check.detail
        == "fold 2: a training label ends 60 minutes before the first test row, the embargo is 120"
    )
    assert not job.check_scalers(reports=leaky).passed


def test_training_on_the_test_part_fails(job):
    fold = dataclasses.replace(job.folds[1], train_stop=job.folds[1].test_stop)
    leaky = reports_of([fold], job.data)
    assert not job.check_labels(reports=leaky).passed


def test_label_ends_that_are_said_to_be_earlier_fail(job):
    labels = job.data.labels
    early = dataclasses.replace(labels, end=labels.end - 2 * job.data.candles.interval_ms)
    folds = walk_forward(early.close_time, early.end, 3, EMBARGO_MS)
    reports = reports_of(folds, job.data, early)
    assert not job.check_labels(labels=early, reports=reports).passed
    assert not job.check_labels(labels=early).passed
    assert not job.check_labels(reports=reports).passed


def test_labels_that_are_not_those_of_the_closes_fail(job):
    y = job.data.labels.y.copy()
    y[100] = 1 - y[100]
    assert not job.check_labels(labels=dataclasses.replace(job.data.labels, y=y)).passed


def test_ties_that_are_trained_on_or_moves_that_are_left_out_fail(hours, tmp_path):
    hours.close[1200:1210] = hours.close[1200]
    job = Job(hours, tmp_path)
    labels = job.data.labels
    assert len(labels.tie) == 7
    assert job.check_labels().passed
    bar = np.flatnonzero(job.matrix.bar == 1200)
    place = np.searchsorted(labels.row, bar)
    assert job.matrix.bar[labels.tie[0]] == 1200
    interval = hours.interval_ms
    closed = hours.open_time[1200] + interval
    as_a_fall = dataclasses.replace(
        labels,
        row=np.insert(labels.row, place, bar),
        y=np.insert(labels.y, place, 0.0),
        close_time=np.insert(labels.close_time, place, closed),
        end=np.insert(labels.end, place, closed + 3 * interval),
        tie=labels.tie[1:],
    )
    hidden = dataclasses.replace(
        labels,
        row=np.delete(labels.row, 100),
        y=np.delete(labels.y, 100),
        close_time=np.delete(labels.close_time, 100),
        end=np.delete(labels.end, 100),
    )
    uncounted = dataclasses.replace(labels, tie=labels.tie[1:])
    for forged in (as_a_fall, hidden, uncounted):
        check = job.check_labels(labels=forged)
        assert not check.passed
        assert check.detail.startswith("rows with a label are not those whose close moves")


def test_labels_across_a_gap_fail(hours, tmp_path):
    job = Job(hours, tmp_path)
    across = np.flatnonzero(np.diff(hours.open_time) > hours.interval_ms)[0]
    row = np.sort(np.append(job.data.labels.row[:-1], np.searchsorted(job.matrix.bar, across)))
    assert job.matrix.bar[np.searchsorted(job.matrix.bar, across)] == across
    check = job.check_labels(labels=dataclasses.replace(job.data.labels, row=row))
    assert check.detail == "a label reaches across a gap"


def test_a_test_part_that_is_not_what_it_says_fails(job):
    reports = with_report(job.reports, 1, test_rows=job.reports[1].test_rows - 1)
    assert not job.check_labels(reports=reports).passed


def test_a_scaler_that_has_seen_more_rows_fails(job):
    for index, report in enumerate(job.reports[:2]):
        later = job.reports[index + 1]
        for change in ({"means": later.means}, {"scales": later.scales}):
            check = job.check_scalers(reports=with_report(job.reports, report.index, **change))
            assert not check.passed
            assert check.detail.startswith(f"fold {index + 1}: ")


def test_a_final_scaler_of_other_rows_fails(job):
    last = job.reports[-1]
    assert not job.check_scalers(scaler=(np.array(last.means), np.array(last.scales))).passed


def test_a_c_chosen_with_its_own_test_part_fails(job):
    # Fold 2's own loss is least at 0.01; the fold before it chooses 0.1.
    check = check_choice(with_report(job.reports, 1, C=0.01), CS, 0.01)
    assert not check.passed
    assert check.detail == "fold 2: C is 0.01; the 1 folds before it choose 0.1"
    assert not check_choice(with_report(job.reports, 0, C=0.01), CS, 0.01).passed
    assert not check_choice(with_report(job.reports, 1, C_chosen_from=(0, 1)), CS, 0.01).passed
    assert not check_choice(job.reports, CS, 0.1).passed
