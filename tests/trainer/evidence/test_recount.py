import numpy as np
import pytest

from trainer.evidence import recount as recounting
from trainer.evidence.fit_check import FURTHEST, check_coefficients
from trainer.evidence.recount import recount
from trainer.evidence.stored_models import StoredModels
from trainer.features.products import Products
from trainer.learning.column_moments import Moments
from trainer.learning.design_matrix import DesignMatrix
from trainer.learning.logistic_path import fit_path

exactly = recounting._sums
ROWS = 7000
CS = (1e-3, 1.0)


@pytest.fixture(scope="module")
def drawn():
    draw = np.random.default_rng(5)
    X = draw.standard_normal((ROWS, 4)).astype(np.float32) * [1, 1e-3, 30, 1] + [0, 5, -100, 0.1]
    y = (draw.random(ROWS) < 1 / (1 + np.exp(-0.2 * X[:, 0]))).astype(float)
    return X.astype(np.float32), y


def stored(draw, X, permitted, tested):
    rows = X[:permitted].astype(float)
    coefficients = 0.1 * draw.standard_normal((2, 4))
    return StoredModels(
        "a fold",
        permitted,
        tested,
        slice(tested.start, max(tested.stop - 7, tested.start)),
        CS,
        rows.mean(axis=0),
        rows.std(axis=0),
        coefficients,
        np.array([0.0, 0.1]),
    )


@pytest.fixture(scope="module")
def models(drawn):
    draw = np.random.default_rng(6)
    nothing = slice(ROWS, ROWS)
    return [
        stored(draw, drawn[0], 2500, slice(3000, 5100)),
        stored(draw, drawn[0], 5000, slice(5100, ROWS)),
        stored(draw, drawn[0], ROWS, nothing),
    ]


def test_moments_are_those_of_each_ones_own_rows(drawn, models):
    X, y = drawn
    for one, found in zip(models, recount(DesignMatrix(X, np.arange(ROWS)), y, models), strict=True):
        rows = X[: one.permitted].astype(float)
        assert np.abs(found.means / rows.mean(axis=0) - 1).max() < 1e-12
        assert np.abs(found.deviations / rows.std(axis=0) - 1).max() < 1e-10
        log_odds = one.intercepts[:, None] + one.coefficients @ ((X.astype(float) - one.means) / one.scales).T
        assert np.abs(found.spreads / log_odds[:, : one.permitted].std(axis=1) - 1).max() < 1e-10


def test_the_steps_are_what_newtons_step_changes_in_log_odds(drawn, models):
    X, y = drawn
    for one, found in zip(models, recount(DesignMatrix(X, np.arange(ROWS)), y, models), strict=True):
        standardised = (X[: one.permitted].astype(float) - one.means) / one.scales
        Z = np.column_stack([np.ones(one.permitted), standardised])
        for position, C in enumerate(CS):
            theta = np.concatenate([[one.intercepts[position]], one.coefficients[position]])
            p = 1 / (1 + np.exp(-Z @ theta))
            penalty = np.array([0.0, *[1 / C] * 4])
            gradient = Z.T @ (p - y[: one.permitted]) + penalty * theta
            hessian = (Z * (p * (1 - p))[:, None]).T @ Z + np.diag(penalty)
            step = np.linalg.solve(hessian, gradient)
            # The mean of p(1-p) stands for each row's.
            assert found.steps[position] == pytest.approx((standardised @ step[1:]).std(), rel=0.02)
            alone = abs(gradient[0]) / hessian[0, 0]
            assert found.intercept_steps[position] == pytest.approx(alone, abs=1e-7)


@pytest.mark.parametrize("rows", [22_100, 42_000])
def test_rows_are_counted_as_well_beside_ties_and_in_float32(rows, monkeypatch):
    draw = np.random.default_rng(7)
    X = draw.standard_normal((rows, 4)).astype(np.float32) * [1, 0.1, 3, 1] + [0, 5, -9, 0.1]
    X = X.astype(np.float32)
    row = np.flatnonzero(draw.random(len(X)) < 0.9)
    y = draw.choice([0.0, 0.5, 1.0], len(row))
    nothing = slice(len(row), len(row))
    models = [stored(draw, X[row], permitted, nothing) for permitted in (2000, 2000, len(row))]
    with monkeypatch.context() as near:
        near.setattr(recounting, "NEAR", np.inf)
        near.setattr(recounting, "NEAR_INTERCEPT", np.inf)
        near.setattr(recounting, "_sums", None)
        rounded = recount(DesignMatrix(X, row, Products.computed(X)), y, models)
    monkeypatch.setattr(recounting, "LEAST_CURVATURE", 1.0)
    exact = recount(DesignMatrix(X, row), y, models)
    for found, other in zip(rounded, exact, strict=True):
        assert found.means == pytest.approx(other.means, rel=1e-12)
        assert found.deviations == pytest.approx(other.deviations, rel=1e-10)
        assert found.spreads == pytest.approx(other.spreads, rel=1e-10)
        assert found.steps == pytest.approx(other.steps, rel=1e-6, abs=0.01 * FURTHEST)
        assert found.intercept_steps == pytest.approx(other.intercept_steps, abs=1e-7)


@pytest.mark.parametrize("rows", [1000, 5000, 20_000])
@pytest.mark.parametrize("far", [1.0, 1e3, 1e6])
def test_a_first_row_that_is_far_from_all_others_makes_no_honest_model_suspect(rows, far, monkeypatch):
    draw = np.random.default_rng(rows)
    X = draw.standard_normal((rows, 6)).astype(np.float32)
    y = (draw.random(rows) < 1 / (1 + np.exp(-0.2 * X[:, 0]))).astype(float)
    X[0] *= far
    design = DesignMatrix(X, np.arange(rows), Products.computed(X))
    moments = Moments(design, y)
    moments.extend(rows)
    path = fit_path(moments, CS)
    fitted = path.means, path.scales, path.coefficients, path.intercepts
    nothing = slice(rows, rows)
    monkeypatch.setattr(recounting, "_sums", None)
    found = recount(design, y, [StoredModels("a fold", rows, nothing, nothing, CS, *fitted)])
    assert check_coefficients(found).passed


def test_a_model_that_is_not_near_in_float32_is_counted_in_float64(drawn, models, monkeypatch):
    X, y = drawn
    counted = []
    monkeypatch.setattr(recounting, "_sums", lambda *rows: counted.append(rows) or exactly(*rows))
    found = recount(DesignMatrix(X, np.arange(ROWS)), y, models)
    assert counted and not any(each.is_near for each in found)


def test_certainties_are_counted_in_float64(drawn):
    X, _ = drawn
    sure = StoredModels(
        "a fold",
        ROWS,
        slice(ROWS, ROWS),
        slice(ROWS, ROWS),
        (1e6,),
        X.astype(float).mean(axis=0),
        X.astype(float).std(axis=0),
        np.array([[40.0, 0.0, 0.0, 0.0]]),
        np.zeros(1),
    )
    found = recount(DesignMatrix(X, np.arange(ROWS)), (X[:, 0] > sure.means[0]).astype(float), [sure])[0]
    z = (X[:, 0].astype(float) - sure.means[0]) / sure.scales[0]
    p = 1 / (1 + np.exp(-40.0 * z))
    lost = p - (z > 0)
    assert found.intercept_steps[0] == pytest.approx(abs(lost.sum()) / (p * (1 - p)).sum(), rel=1e-9)
