"""What a training of one cell claims, for the tests of the checks that do not look at coefficients."""

import dataclasses

import numpy as np

from common.protocol.reports import FoldReport, Scores, Span
from trainer.candles.moments import moment_of
from trainer.evidence.certificate import check_labels
from trainer.evidence.feature_check import check_features
from trainer.evidence.fit_check import check_scalers
from trainer.evidence.recount import recount
from trainer.evidence.stored_models import stored_models
from trainer.features.matrix import open_features
from trainer.learning.logistic_model import LogisticModel
from trainer.learning.training_set import DIRECTION, TrainingSet

CS = (0.01, 0.1, 1.0)
EMBARGO_MS = 2 * 3_600_000
SCORES = Scores(auc=0.5, brier=0.25, accuracy=0.5, log_loss=0.69, base_rate=0.5, n=1)


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
                coefficients=((0.0,) * data.design.columns,) * 3,
                intercepts=(0.0,) * 3,
                iterations=1,
                scores=SCORES,
            )
        )
    return reports


class Job:
    """What an honest training of one cell claims."""

    def __init__(self, hours, cache, context=(), horizon=3, label=DIRECTION):
        self.matrix = open_features(cache, hours, context)
        self.data = TrainingSet.of(hours, context, self.matrix, horizon, 3, EMBARGO_MS, label)
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
        means, scales = scaler or self.scaler
        final = LogisticModel(means, scales, np.zeros(len(means)), 0.0)
        stored = stored_models(self.data, reports or self.reports, CS, (CS[0], final))
        return check_scalers(recount(self.data.design, self.data.labels.y, stored))


def with_report(reports, index, **changes):
    return [report.model_copy(update=changes) if report.index == index else report for report in reports]
