import dataclasses

import numpy as np
import pytest

from trainer.evidence.predicted import predicted
from trainer.evidence.stored_models import stored_models
from trainer.learning.logistic_model import LogisticModel
from trainer.learning.scores import log_loss
from trainer.learning.stretch import Stretch

CS = (0.01, 0.1, 1.0)


@pytest.fixture
def said(job):
    draw = np.random.default_rng(6)
    final = LogisticModel(*job.scaler, np.zeros(job.data.design.columns), 0.0)
    stored = stored_models(job.data, job.reports, CS, (CS[0], final))
    stored = [
        dataclasses.replace(
            models,
            coefficients=0.1 * draw.standard_normal(models.coefficients.shape),
            intercepts=0.1 * draw.standard_normal(len(models.Cs)),
        )
        for models in stored
    ]
    return predicted(job.data, stored, job.reports)


def test_there_is_one_for_each_fold_and_none_for_the_final_model(job, said):
    assert [one.stored.place for one in said] == [f"fold {number + 1}" for number in range(len(job.folds))]


def test_losses_are_of_the_rows_that_are_known_in_time_and_of_each_model(job, said):
    X, y = job.matrix.values[job.data.labels.row].astype(float), job.data.labels.y
    for one in said:
        models = one.stored
        assert models.known.stop < len(y) or models is said[-1].stored
        rows = (X[models.known] - models.means) / models.scales
        p = 1 / (1 + np.exp(-(models.intercepts[:, None] + models.coefficients @ rows.T)))
        expected = [log_loss(each, y[models.known]) for each in p]
        assert one.log_losses == pytest.approx(expected, abs=1e-12)


def test_the_chosen_model_says_something_of_each_row_from_a_folds_first_to_the_next_ones(job, said):
    for one, report, following in zip(said, job.reports, [*said[1:], None], strict=True):
        start = int(job.data.labels.row[one.stored.tested.start])
        stop = following.stretch.start if following else len(job.matrix.values)
        assert (one.stretch.start, one.stretch.stop) == (start, stop)
        model = one.stored.model(report.C)
        rows = (job.matrix.values[start:stop].astype(float) - model.means) / model.scales
        p = 1 / (1 + np.exp(-(model.intercept + rows @ model.coefficients)))
        assert one.chosen == pytest.approx(p, abs=1e-14)


def test_the_chosen_models_loss_is_not_taken_from_the_function_that_training_has_it_from(
    job, said, monkeypatch
):
    judged = Stretch.judged
    monkeypatch.setattr(Stretch, "judged", lambda *given: (judged(*given)[0], np.zeros(len(CS))))
    again = predicted(job.data, [one.stored for one in said], job.reports)
    for one, other, report in zip(said, again, job.reports, strict=True):
        position = one.stored.Cs.index(report.C)
        assert other.log_losses[position] == pytest.approx(one.log_losses[position], rel=1e-12)
        assert np.count_nonzero(other.log_losses) == 1
