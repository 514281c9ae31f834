import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from common.errors import InternalError
from tests.trainer.learning.formula import said_by
from trainer.learning import logistic_path
from trainer.learning.column_moments import Moments
from trainer.learning.design_matrix import DesignMatrix
from trainer.learning.logistic_path import fit_path
from trainer.learning.scores import log_loss

CS = (0.0001, 0.001, 0.01, 0.1, 1.0)


def problem(rows, columns, strength, seed=0, offset=0.0, common=0.0):
    """Rows with means and scales of their own, correlated by `common`, and labels of a logistic model."""
    draw = np.random.default_rng(seed)
    X = draw.standard_normal((rows, columns)) + common * draw.standard_normal((rows, 1))
    X = (X * draw.uniform(0.3, 3, columns) + draw.uniform(-3, 3, columns)).astype(np.float32)
    signal = ((X - X.mean(0)) / X.std(0)) @ draw.standard_normal(columns) * strength / np.sqrt(columns)
    y = (draw.random(rows) < 1 / (1 + np.exp(-signal - offset))).astype(float)
    return X, y


def moments_of(X, y=None, stop=None, row=None):
    y = np.zeros(len(X)) if y is None else y
    moments = Moments(DesignMatrix(X, np.arange(len(X)) if row is None else row), y)
    moments.extend(len(moments.design) if stop is None else stop)
    return moments


def assert_agrees_with_scikit_learn(X, y, Cs, rel=1e-6):
    path = fit_path(moments_of(X, y), Cs)
    scaled = StandardScaler().fit_transform(X.astype(np.float64))
    for position, C in enumerate(Cs):
        other = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-10, max_iter=500).fit(scaled, y)
        largest = np.abs(other.coef_).max()
        assert np.abs(path.coefficients[position] - other.coef_[0]).max() <= rel * largest
        assert path.intercepts[position] == pytest.approx(other.intercept_[0], abs=rel * largest)
        ours = said_by(path.model(position), DesignMatrix(X, np.arange(len(X))), 0, len(X))
        assert abs(log_loss(ours, y) - log_loss(other.predict_proba(scaled)[:, 1], y)) < 1e-8
    return path


@pytest.mark.parametrize(
    ("rows", "columns", "strength", "offset", "common"),
    [
        (150, 12, 0.5, 0.0, 0.0),
        (150, 40, 1.0, 0.5, 1.0),  # nearly separable
        (600, 40, 8.0, -1.0, 0.5),  # strong
        (5000, 40, 0.05, 0.0, 3.0),  # weak, strongly correlated
        (5000, 10, 0.2, -2.5, 0.0),  # few rises
        (20_000, 40, 0.05, -0.4, 0.0),
        (20_000, 20, 4.0, 0.0, 0.0),
    ],
)
def test_coefficients_and_log_loss_are_scikit_learns(rows, columns, strength, offset, common):
    X, y = problem(rows, columns, strength, offset=offset, common=common)
    assert_agrees_with_scikit_learn(X, y, CS)


def test_separable_rows_are_fitted_as_far_as_the_penalty_allows():
    X = np.linspace(-1, 1, 200, dtype=np.float32)[:, None]
    assert_agrees_with_scikit_learn(X, (X[:, 0] > 0.3).astype(float), (0.01, 1.0, 100.0, 1e4))


def test_a_hardly_penalised_copy_of_a_column_still_settles():
    X, y = problem(3000, 5, 0.5)
    X = np.column_stack([X, X[:, :2]])
    path = fit_path(moments_of(X, y), (1e6, 1e9, 1e12, 1e15))
    assert path.coefficients[0, 5:] == pytest.approx(path.coefficients[0, :2], rel=1e-2)
    alone = fit_path(moments_of(np.ascontiguousarray(X[:, :5]), y), (1e9,))
    assert path.coefficients[1, 5:] + path.coefficients[1, :2] == pytest.approx(
        alone.coefficients[0, :2], rel=1e-4
    )


def test_weak_signals_take_few_passes_and_no_exact_hessian(monkeypatch):
    monkeypatch.setattr(logistic_path._Rows, "hessian", None)
    X, y = problem(15_000, 30, 0.05)
    assert fit_path(moments_of(X, y), CS).passes <= 6


def test_many_rows_with_a_weak_signal_take_two_passes():
    X, y = problem(50_000, 30, 0.05)
    assert fit_path(moments_of(X, y), CS).passes <= 2


def test_strong_signals_take_few_passes_too():
    X, y = problem(2000, 20, 6.0)
    assert fit_path(moments_of(X, y), CS).passes <= 20


def test_a_warm_start_ends_where_a_cold_one_does_but_sooner():
    X, y = problem(20_000, 20, 0.3)
    design = DesignMatrix(X, np.arange(len(X)))
    moments = Moments(design, y)
    moments.extend(19_000)
    before = fit_path(moments, CS)
    moments.extend(20_000)
    warm = fit_path(moments, CS, (before.coefficients, before.intercepts))
    cold = fit_path(moments, CS)
    assert np.abs(warm.coefficients - cold.coefficients).max() < 1e-4 * np.abs(cold.coefficients).max()
    assert warm.passes <= cold.passes


@pytest.mark.parametrize("scale", [5.0, 50.0])
def test_a_start_far_away_still_ends_at_the_optimum(scale):
    X, y = problem(2000, 8, 2.0)
    far = np.random.default_rng(1).standard_normal((2, 8)) * scale, np.array([3.0, -3.0]) * scale
    path = fit_path(moments_of(X, y), CS[3:], far)
    assert path.coefficients == pytest.approx(fit_path(moments_of(X, y), CS[3:]).coefficients, abs=1e-6)


def test_a_step_within_the_bound_never_raises_the_objective():
    X, y = problem(400, 6, 2.0)
    moments = moments_of(X, y)
    means, scales, correlation = moments.standardisation()
    rows = logistic_path._Rows(moments, means, scales)
    bound = logistic_path._Bound(*np.linalg.eigh(correlation), 400)
    scaled = np.column_stack([np.ones(400), (X - means) / scales])
    penalty = np.array([0.0, *[0.1] * 6])

    def objective(theta):
        return np.logaddexp(0, np.where(y > 0.5, -1, 1) * (scaled @ theta)).sum() + penalty @ theta**2 / 2

    draw = np.random.default_rng(0)
    for size in (0.1, 1.0, 3.0, 10.0, 30.0):
        # A confident intercept alone is where a step by the curvature there would go furthest astray.
        alone = [np.array([sign * size, 0, 0, 0, 0, 0, 0]) for sign in (-1, 1)]
        for theta in [*alone, *draw.standard_normal((20, 7)) * size]:
            gradients, curvatures = rows.gradients(theta[None])
            step = bound.solve(gradients[0] + penalty * theta, curvatures[0], 0.1)
            assert objective(theta - step) < objective(theta)


def test_means_and_scales_are_those_of_the_training_rows_only():
    X, _ = problem(6000, 7, 1.0)
    X[4000:] = 1e6
    means, scales, correlation = moments_of(X, stop=4000).standardisation()
    expected = StandardScaler().fit(X[:4000].astype(np.float64))
    assert means == pytest.approx(expected.mean_, rel=1e-12)
    assert scales == pytest.approx(expected.scale_, rel=1e-10)
    assert correlation == pytest.approx(np.corrcoef(X[:4000].astype(np.float64).T), abs=1e-10)


def test_a_constant_has_scale_one_and_no_weight():
    X, y = problem(500, 4, 1.0)
    X[:, 2] = 0.1
    path = fit_path(moments_of(X, y), CS)
    assert path.scales[2] == 1.0
    assert not path.coefficients[:, 2].any()
    others = fit_path(moments_of(np.ascontiguousarray(np.delete(X, 2, axis=1)), y), CS)
    assert np.delete(path.coefficients, 2, axis=1) == pytest.approx(others.coefficients, rel=1e-6)


def test_rows_of_which_all_columns_are_constant_give_the_base_rate():
    y = np.tile([0.0, 0.0, 1.0], 50)
    path = fit_path(moments_of(np.full((150, 3), 2.0, np.float32), y), CS)
    assert not path.coefficients.any()
    assert path.intercepts == pytest.approx(np.log(0.5))


def test_digits_do_not_depend_on_where_in_memory_the_rows_lie():
    X, y = problem(9000, 11, 0.3)
    reference = fit_path(moments_of(X, y), CS)
    for shift in (1, 3, 7):
        raw = np.empty(X.size + shift, np.float32)
        moved = raw[shift:].reshape(X.shape)
        moved[:] = X
        path = fit_path(moments_of(moved, y), CS)
        assert path.coefficients.tobytes() == reference.coefficients.tobytes()
        assert path.intercepts.tobytes() == reference.intercepts.tobytes()


def test_rows_picked_from_a_larger_matrix_give_the_same_digits():
    X, y = problem(5000, 9, 0.3)
    spread = np.full((len(X) * 2, 9), np.nan, np.float32)
    spread[::2] = X
    picked = fit_path(moments_of(spread, y, row=np.arange(0, len(spread), 2)), CS)
    assert picked.coefficients.tobytes() == fit_path(moments_of(X, y), CS).coefficients.tobytes()


def test_a_fit_that_does_not_settle_is_an_error_and_no_model(monkeypatch):
    monkeypatch.setattr(logistic_path, "MAX_PASSES", 1)
    X, y = problem(300, 5, 3.0)
    with pytest.raises(InternalError, match="did not settle in 1 passes"):
        fit_path(moments_of(X, y), CS)
