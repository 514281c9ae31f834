"""Trainings that cheat are found, each by the check that it cheats."""

import dataclasses

import numpy as np
import pytest

from tests.trainer.learning.formula import said_by
from tests.trust.trainings import (
    CS,
    ROWS,
    Training,
    expressed,
    fitted,
    honest_paths,
    training_set,
    with_slope,
)
from trainer.learning.recalibration import rescaled
from trainer.learning.scores import score


@pytest.fixture(scope="module")
def data(simulate, tmp_path_factory):
    return training_set(simulate(24 * 125, autocorrelation=0.1), tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def paths(data):
    return honest_paths(data)


@pytest.fixture(scope="module")
def final(data):
    return fitted(data, np.arange(len(data)))


@pytest.fixture(scope="module")
def honest(data, paths, final):
    return Training.told(data, paths, final)


def test_an_honest_training_passes_every_check(data, honest):
    certificate = honest.certificate()
    assert [check.name for check in certificate.checks] == [
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
    assert changed.failed()[0] == ["coefficients", "losses", "recalibration", "scores"]


def test_predictions_that_were_nudged_by_the_label_are_found(data, paths, final):
    names, detail = Training.told(data, paths, final, nudge=0.01).failed()
    assert names == ["losses", "recalibration", "scores", "edge"]
    assert detail.startswith("fold 1, C 1e-06: the log loss of its test rows that are known in time is 0.69")


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
    assert names == ["losses"] and detail.startswith("fold 2, C 0.01: the log loss of its test rows that ")


@pytest.mark.parametrize(
    ("name", "better"), [("auc", 1e-4), ("accuracy", 1e-3), ("brier", -1e-5), ("log_loss", -1e-5)]
)
def test_a_score_that_is_better_than_it_is_is_found(honest, name, better):
    def improved(scores):
        return scores.model_copy(update={name: getattr(scores, name) + better})

    names, detail = honest.with_report(2, scores=improved(honest.reports[2].scores)).failed()
    assert names == ["scores"] and detail.startswith(f"fold 3: {name} of the stored models' ")
    newest = honest.gates.model_copy(update={"newest_fold": improved(honest.gates.newest_fold)})
    assert honest.but(gates=newest).failed()[0] == ["scores"]
    names, detail = honest.but(scores=improved(honest.scores)).failed()
    assert names == ["scores"] and detail.startswith(f"all folds: {name} of ")


def test_a_p_value_that_is_better_than_it_is_is_found(honest):
    names, detail = honest.but(p_value=honest.p_value / 2).failed()
    assert names == ["scores"] and detail.startswith("the predictions' p-value is ")
    assert honest.but(p_value=float("nan")).failed()[0] == ["scores"]


def test_a_base_rate_that_is_worse_than_it_is_is_found(honest):
    """It would let a model pass that knows less than a constant."""
    worse = honest.gates.model_copy(update={"base_rate_log_loss": honest.gates.base_rate_log_loss + 1e-5})
    names, detail = honest.but(gates=worse).failed()
    assert names == ["scores"] and detail.startswith("the log loss of the base rates known before is 0.69")


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("slope", [0.7, 1.001])
def test_a_model_that_is_recalibrated_by_what_nothing_before_it_shows_is_found(
    data, paths, final, place, slope
):
    names, detail = Training.told(data, paths, final, recalibrate=with_slope(place, slope)).failed()
    assert names == ["recalibration"]
    assert detail.startswith("the final model: " if place == 3 else f"fold {place + 1}: ")


def test_choices_that_rest_on_labels_which_end_in_the_tested_rows_are_found(data, paths, final):
    names, detail = Training.told(data, paths, final, foresight=True).failed()
    assert names[:2] == ["losses", "recalibration"]
    assert detail.startswith("fold 1, C 1e-06: the log loss of its test rows that are known in time is 0.6")


def test_a_final_model_that_was_rescaled_in_silence_is_found(honest):
    forged = honest.but(model=rescaled(honest.model, 0.9))
    assert forged.failed()[0] == ["coefficients"]
    told = honest.recalibration.model_copy(update={"slope": 0.9})
    assert forged.but(recalibration=told).failed()[0] == ["recalibration"]
    assert honest.but(recalibration=told).failed()[0] == ["coefficients", "recalibration"]


@pytest.mark.parametrize("slope", [0.0, -1.0, float("nan"), float("inf")])
def test_a_slope_that_is_none_is_found(honest, slope):
    told = honest.recalibration.model_copy(update={"slope": slope})
    assert "recalibration" in honest.but(recalibration=told).failed()[0]
    of_fold = honest.reports[2].recalibration.model_copy(update={"slope": slope})
    assert "recalibration" in honest.with_report(2, recalibration=of_fold).failed()[0]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("estimate", lambda value: value - 0.3),
        ("estimate", lambda value: None),
        ("standard_error", lambda value: value / 2),
        ("standard_error", lambda value: None),
        ("gain", lambda value: value + 1.0),
        ("measured_on", lambda value: (*value, 2)),
        ("measured_on", lambda value: value[1:]),
    ],
)
def test_a_recalibration_whose_reason_is_made_up_is_found(honest, name, change):
    claimed = honest.reports[2].recalibration
    made_up = claimed.model_copy(update={name: change(getattr(claimed, name))})
    names, detail = honest.with_report(2, recalibration=made_up).failed()
    assert names == ["recalibration"] and detail.startswith("fold 3: ")
    assert honest.with_report(2, recalibration=None).failed()[0] == ["recalibration"]


def test_a_c_that_was_chosen_by_its_own_test_part_is_found(data, paths, honest):
    index = next(i for i, fold in enumerate(honest.reports) if CS[np.argmin(fold.log_losses)] != fold.C)
    fold, report = data.folds[index], honest.reports[index]
    best = int(np.argmin(report.log_losses))
    p = said_by(paths[index].model(best), data.design, fold.test_start, fold.test_stop)
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


@pytest.mark.parametrize(
    "forged",
    [
        {"edge_bp": 11.0},
        {"high_bp": 11.0},
        {"standard_error_bp": 0.001},
        {"beyond_costs_share": 0.9},
        {"costs_bp": 1.0},
        {"rows": 5},
    ],
)
def test_an_edge_that_the_stored_models_do_not_have_is_found(honest, forged):
    names, detail = honest.but(edge=honest.edge.model_copy(update=forged)).failed()
    assert names == ["edge"]
    assert detail.startswith(f"{next(iter(forged))} of the stored models' extreme predictions is")
