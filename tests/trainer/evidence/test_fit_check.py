import dataclasses

import numpy as np
import pytest

from tests.trainer.evidence.claims import with_report
from trainer.evidence.fit_check import check_coefficients, check_scalers
from trainer.evidence.recount import recount
from trainer.evidence.stored_models import StoredModels
from trainer.learning.column_moments import Moments
from trainer.learning.design_matrix import DesignMatrix
from trainer.learning.logistic_path import fit_path


def test_scalers_of_the_permitted_rows_pass(job):
    check = job.check_scalers()
    assert check.passed and check.checked == 4, check


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


def fitted(X, y, Cs=(1e-6, 1e-2, 1.0)):
    """A path over all rows of X, and what a recount says of it."""
    design = DesignMatrix(X.astype(np.float32), np.arange(len(X)))
    moments = Moments(design, y)
    moments.extend(len(X))
    path = fit_path(moments, Cs)
    rows = slice(len(X), len(X))
    numbers = path.means, path.scales, path.coefficients, path.intercepts
    return path, recount(design, y, [StoredModels("a fold", len(X), rows, rows, Cs, *numbers)])


def drawn(columns=6, rows=5000):
    draw = np.random.default_rng(3)
    X = draw.standard_normal((rows, columns))
    y = (draw.random(rows) < 1 / (1 + np.exp(-0.1 * X[:, 0]))).astype(float)
    return X, y


@pytest.mark.parametrize("level", [50.0, 100.0, 1e4])
def test_a_column_that_rests_far_from_zero_is_no_false_alarm(level):
    """As an index does that has reached its end, where a price of few ticks no longer moves."""
    X, y = drawn()
    X[:, 1] = level
    path, recounts = fitted(X, y)
    assert path.scales[1] == 1.0
    assert check_scalers(recounts).passed and check_coefficients(recounts).passed


@pytest.mark.parametrize("level", [1.0, 100.0])
def test_a_column_that_hardly_moves_far_from_zero_is_no_false_alarm(level):
    X, y = drawn()
    X[:, 1] = level
    # The next number of float32, in a part of the rows only.
    X[::700, 1] = np.nextafter(np.float32(level), np.float32(2e9))
    path, recounts = fitted(X, y)
    assert check_scalers(recounts).passed and check_coefficients(recounts).passed, path.scales


@pytest.mark.parametrize("share", [1 - 1e-9, 1.0, 1 + 1e-9])
def test_at_the_edge_of_being_constant_either_scale_is_right(share):
    X, y = drawn()
    _, [found] = fitted(X, y)
    deviations = found.deviations.copy()
    deviations[1] = 1e-6 * share
    for scale, right in ((1e-6, True), (1.0, True), (2e-6, False)):
        scales = found.stored.scales.copy()
        scales[1] = scale
        stored = dataclasses.replace(found.stored, scales=scales)
        claimed = dataclasses.replace(found, stored=stored, deviations=deviations)
        assert check_scalers([claimed]).passed == right


@pytest.mark.parametrize("kind", ["equal", "nearly equal", "heavy tails", "separable", "constant", "rare"])
def test_honest_fits_of_awkward_columns_are_at_their_optimum(kind):
    X, y = drawn(rows=1000)
    if kind == "equal":
        X[:, 3:] = X[:, :3]
    elif kind == "nearly equal":
        X[:, 3:] = X[:, :3] + 1e-5 * X[:, 3:]
    elif kind == "heavy tails":
        X = np.random.default_rng(4).standard_t(1.5, X.shape)
    elif kind == "separable":
        y = (X[:, 0] > 0).astype(float)
    elif kind == "rare":
        y[:] = np.arange(len(y)) % 500 == 7
    else:
        X[:] = 7.0
    _, recounts = fitted(X, y, (1e-9, 1e-6, 1e-2, 1.0, 1e4))
    check = check_coefficients(recounts)
    assert check.passed, check
    assert check_scalers(recounts).passed
