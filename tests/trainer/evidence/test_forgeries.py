"""Trainings that cheat, and in everything else are told as an honest one would be."""

import dataclasses

import numpy as np
import pytest

from trainer.evidence.certificate import certify
from trainer.evidence.significance import auc_p_value
from trainer.features.matrix import open_features
from trainer.learning.crossval import CrossValidation, FoldFit, choose
from trainer.learning.design_matrix import DesignMatrix
from trainer.learning.fold_reports import fold_report
from trainer.learning.logistic_path import LogisticPath, Moments, fit_path
from trainer.learning.scores import score
from trainer.learning.training_set import TrainingSet

CS = (1e-6, 1e-4, 1e-2, 1.0)
HORIZON = 5
EMBARGO_MS = 2 * 3_600_000


@dataclasses.dataclass
class Training:
    """A finished training; what is forged in it is replaced."""

    data: TrainingSet
    reports: list
    C: float
    model: object
    scores: object
    p_value: float

    @classmethod
    def told(cls, data, paths, final, nudge=0.0):
        """Tell of models as an honest training does: their losses, the choice, scores, and the p-value.

        `nudge` moves each prediction towards its label.
        """
        y, fits, reports, predicted = data.labels.y, [], [], []
        for fold, path in zip(data.folds, paths, strict=True):
            truth = y[fold.test_start : fold.test_stop]
            p = path.predict(data.design, fold.test_start, fold.test_stop)
            p += nudge * (truth - p)
            losses = tuple(score(each, truth).log_loss for each in p)
            choice = choose([fit.log_losses for fit in fits], len(CS))
            fits.append(FoldFit(fold, path, losses, choice, tuple(range(len(fits)))))
            predicted.append(p[choice])
            reports.append(fold_report(fits[-1], predicted[-1], data, CS))
        choice = choose([fit.log_losses for fit in fits], len(CS))
        p, truth = np.concatenate(predicted), y[data.first_test_row :]
        p_value = auc_p_value(p, truth, data.horizon)
        return cls(data, reports, CS[choice], final.model(choice), score(p, truth), p_value)

    def but(self, **changes):
        return dataclasses.replace(self, **changes)

    def with_report(self, index, **changes):
        reports = list(self.reports)
        reports[index] = reports[index].model_copy(update=changes)
        return self.but(reports=reports)

    def failed(self):
        """Names of the checks that fail, and the detail of the first."""
        certificate = certify(self.data, self.reports, CS, (self.C, self.model), self.scores, self.p_value)
        failed = [check for check in certificate.checks if not check.passed]
        assert certificate.valid == (not failed)
        return [check.name for check in failed], failed[0].detail if failed else ""


@pytest.fixture(scope="module")
def data(simulate, tmp_path_factory):
    candles = simulate(24 * 125, autocorrelation=0.1)
    matrix = open_features(tmp_path_factory.mktemp("cache"), candles, ())
    return TrainingSet.of(candles, (), matrix, HORIZON, 3, EMBARGO_MS)


@pytest.fixture(scope="module")
def paths(data):
    crossval = CrossValidation(data.design, data.labels.y, data.folds, CS)
    return [crossval.fit_next().path for _ in data.folds]


@pytest.fixture(scope="module")
def final(data):
    return fitted(data, np.arange(len(data)))


@pytest.fixture(scope="module")
def honest(data, paths, final):
    return Training.told(data, paths, final)


def fitted(data, rows, start=None):
    """Fit a path on some rows."""
    moments = Moments(DesignMatrix(data.matrix.values, data.labels.row[rows]))
    moments.extend(len(rows))
    return fit_path(moments, data.labels.y[rows], CS, start)


def expressed(path, scaler):
    """Tell of the same predictions with the means and scales of another path."""
    weights = path.coefficients / path.scales
    intercepts = path.intercepts + weights @ (scaler.means - path.means)
    return LogisticPath(scaler.means, scaler.scales, weights * scaler.scales, intercepts, path.passes)


def all_rows(data, fold):
    return np.arange(len(data))


def one_row_more(data, fold):
    return np.arange(fold.train_stop + 1)


def five_purged_rows(data, fold):
    assert fold.test_start - fold.train_stop > 5
    return np.arange(fold.train_stop + 5)


def a_fifth_of_the_test_rows(data, fold):
    return np.concatenate([np.arange(fold.train_stop), np.arange(fold.test_start, fold.test_stop, 5)])


def the_test_rows_only(data, fold):
    return np.arange(fold.test_start, fold.test_stop)


def one_row_less(data, fold):
    return np.arange(fold.train_stop - 1)


ROWS = [
    all_rows,
    one_row_more,
    five_purged_rows,
    a_fifth_of_the_test_rows,
    the_test_rows_only,
    one_row_less,
]


def test_an_honest_training_passes_every_check(data, honest):
    certificate = certify(data, honest.reports, CS, (honest.C, honest.model), honest.scores, honest.p_value)
    assert [check.name for check in certificate.checks] == [
        "features",
        "labels",
        "models",
        "scaler",
        "coefficients",
        "losses",
        "C",
        "scores",
    ]
    assert certificate.valid, certificate
    assert all(check.checked > 0 for check in certificate.checks)


@pytest.mark.parametrize("rows", ROWS)
def test_a_fold_that_was_fitted_on_other_rows_is_found_though_its_scaler_is_right(data, paths, final, rows):
    for index, fold in enumerate(data.folds):
        forged = list(paths)
        forged[index] = expressed(fitted(data, rows(data, fold)), paths[index])
        names, detail = Training.told(data, forged, final).failed()
        assert names == ["coefficients"]
        assert detail.startswith(f"fold {index + 1}, C ") and f"the {fold.train_stop} rows" in detail


def test_a_fold_that_was_fitted_and_scaled_on_all_rows_is_found(data, paths, final):
    names, _ = Training.told(data, [paths[0], final, paths[2]], final).failed()
    assert names == ["scaler", "coefficients"]


def test_a_final_model_of_other_rows_is_found(data, paths, final):
    other = expressed(fitted(data, np.arange(len(data) - 1)), final)
    names, detail = Training.told(data, paths, other).failed()
    assert names == ["coefficients"] and detail.startswith("the final model, C ")


@pytest.mark.parametrize("position", range(len(CS)))
def test_a_coefficient_that_was_changed_in_its_third_digit_is_found(data, paths, final, position):
    coefficients = paths[1].coefficients.copy()
    largest = np.argmax(np.abs(coefficients[position]))
    coefficients[position, largest] *= 1.001
    changed = dataclasses.replace(paths[1], coefficients=coefficients)
    names, detail = Training.told(data, [paths[0], changed, paths[2]], final).failed()
    assert names == ["coefficients"] and detail.startswith(f"fold 2, C {CS[position]:g}: ")


def test_a_changed_coefficient_does_not_fit_the_losses_and_scores_that_were_told(honest):
    coefficients = np.array(honest.reports[1].coefficients)
    coefficients[:, 0] *= 1.1
    changed = honest.with_report(1, coefficients=tuple(map(tuple, coefficients.tolist())))
    assert changed.failed()[0] == ["coefficients", "losses", "scores"]


def test_predictions_that_were_nudged_by_the_label_are_found(data, paths, final):
    names, detail = Training.told(data, paths, final, nudge=0.01).failed()
    assert names == ["losses", "scores"]
    assert detail.startswith("fold 1, C 1e-06: the log loss of its test rows is 0.69")


def test_swapped_folds_are_found(data, paths, final, honest):
    first, second, third = honest.reports
    assert honest.but(reports=[second, first, third]).failed()[0][-1] == "models"
    assert Training.told(data, [paths[1], paths[0], paths[2]], final).failed()[0] == [
        "scaler",
        "coefficients",
    ]
    swapped = [expressed(paths[1], paths[0]), expressed(paths[0], paths[1]), paths[2]]
    assert Training.told(data, swapped, final).failed()[0] == ["coefficients"]


def test_a_fold_that_is_left_out_is_found(honest):
    assert honest.but(reports=honest.reports[:2]).failed()[0] == ["models"]
    later = [fold.model_copy(update={"index": fold.index - 1}) for fold in honest.reports[1:]]
    assert honest.but(reports=later).failed()[0] == ["models"]


def test_a_loss_that_is_better_than_it_is_is_found(honest):
    losses = list(honest.reports[1].log_losses)
    losses[2] -= 1e-6
    names, detail = honest.with_report(1, log_losses=tuple(losses)).failed()
    assert names == ["losses"] and detail.startswith("fold 2, C 0.01: the log loss of its test rows is ")


@pytest.mark.parametrize(
    ("name", "better"), [("auc", 1e-4), ("accuracy", 1e-3), ("brier", -1e-5), ("log_loss", -1e-5)]
)
def test_a_score_that_is_better_than_it_is_is_found(honest, name, better):
    def improved(scores):
        return scores.model_copy(update={name: getattr(scores, name) + better})

    names, detail = honest.with_report(2, scores=improved(honest.reports[2].scores)).failed()
    assert names == ["scores"] and detail.startswith(f"fold 3: {name} of the stored models' ")
    names, detail = honest.but(scores=improved(honest.scores)).failed()
    assert names == ["scores"] and detail.startswith(f"all folds: {name} of ")


def test_a_p_value_that_is_better_than_it_is_is_found(honest):
    names, detail = honest.but(p_value=honest.p_value / 2).failed()
    assert names == ["scores"] and detail.startswith("the predictions' p-value is ")
    assert honest.but(p_value=float("nan")).failed()[0] == ["scores"]


def test_a_c_that_was_chosen_by_its_own_test_part_is_found(data, paths, honest):
    index = next(i for i, fold in enumerate(honest.reports) if CS[np.argmin(fold.log_losses)] != fold.C)
    fold, report = data.folds[index], honest.reports[index]
    best = int(np.argmin(report.log_losses))
    p = paths[index].model(best).predict(data.design, fold.test_start, fold.test_stop)
    own = score(p, data.labels.y[fold.test_start : fold.test_stop])
    names, detail = honest.with_report(index, C=CS[best], scores=own).failed()
    assert names[0] == "C" and detail.startswith(f"fold {index + 1}: C is {CS[best]:g}; ")


@pytest.mark.parametrize(
    "changes",
    [
        {"C": 0.5},
        {"log_losses": (0.69,)},
        {"intercepts": (0.0, 0.0, 0.0)},
        {"intercepts": (0.0, float("nan"), 0.0, 0.0)},
        {"coefficients": ((0.0,),) * len(CS)},
    ],
)
def test_models_that_cannot_be_computed_with_are_a_failed_check(honest, changes):
    names, detail = honest.with_report(1, **changes).failed()
    assert names == ["models"] and detail.startswith("fold 2: ")


def test_a_resumed_job_on_another_kind_of_processor_passes(honest):
    """Its first folds were computed with other last digits."""
    fold = honest.reports[0]
    scores = fold.scores.model_copy(update={"auc": fold.scores.auc * (1 + 1e-12)})
    losses = tuple(loss * (1 + 1e-14) for loss in fold.log_losses)
    assert honest.with_report(0, scores=scores, log_losses=losses).failed() == ([], "")
