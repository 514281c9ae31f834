import dataclasses

import numpy as np

from common.settings.sections import Label
from tests.trainer.evidence.claims import EMBARGO_MS, Job, reports_of, with_report
from trainer.compiled.edges import moves_of
from trainer.features import labels as features_labels
from trainer.learning.splits import walk_forward


def test_labels_that_end_before_the_test_pass(job):
    check = job.check_labels()
    assert check.passed and check.checked > 0, check


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


def test_labels_with_costs_are_held_against_moves_that_are_computed_apart(hours, tmp_path, monkeypatch):
    costly = Label(kind="beyond_costs", costs_bp=40)
    job = Job(hours, tmp_path, label=costly)
    assert set(job.data.labels.y) == {0.0, 0.5, 1.0} and job.check_labels().passed
    y = job.data.labels.y.copy()
    y[100] = 0.5 if y[100] != 0.5 else 1.0
    assert not job.check_labels(labels=dataclasses.replace(job.data.labels, y=y)).passed
    monkeypatch.setattr(features_labels, "moves_of", lambda *asked: 1.5 * moves_of(*asked))
    assert not Job(hours, tmp_path, label=costly).check_labels().passed


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
