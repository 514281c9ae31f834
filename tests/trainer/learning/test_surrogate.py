import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tests.trainer.learning.test_logistic_path import CS, moments_of, problem
from trainer.learning import curved_part, logistic_path, surrogate
from trainer.learning.crossval import CrossValidation
from trainer.learning.design_matrix import DesignMatrix
from trainer.learning.logistic_path import fit_path
from trainer.learning.splits import walk_forward


def exactly(X, y, C):
    scaled = StandardScaler().fit_transform(X.astype(np.float64))
    return LogisticRegression(C=C, solver="newton-cholesky", tol=1e-12, max_iter=100).fit(scaled, y)


@pytest.fixture
def no_descent(monkeypatch):
    monkeypatch.setattr(logistic_path, "_descended", None)


@pytest.mark.parametrize(
    ("rows", "columns", "strength", "common"),
    [(16_384, 10, 0.3, 0.0), (40_000, 40, 0.1, 3.0), (70_000, 20, 0.5, 1.0)],
)
def test_coefficients_are_scikit_learns_to_a_millionth_of_the_largest(
    no_descent, rows, columns, strength, common
):
    X, y = problem(rows, columns, strength, common=common)
    path = fit_path(moments_of(X, y), CS)
    for position, C in enumerate(CS):
        other = exactly(X, y, C)
        assert np.abs(path.coefficients[position] - other.coef_[0]).max() < 1e-6 * np.abs(other.coef_).max()
        assert abs(path.intercepts[position] - other.intercept_[0]) < 1e-6


def test_ties_between_the_rows_are_no_part_of_the_fit(no_descent):
    X, y = problem(30_000, 8, 0.2)
    row = np.flatnonzero(np.random.default_rng(0).random(len(X)) < 0.85)
    with_ties = fit_path(moments_of(X, y[row], row=row), CS)
    without = fit_path(moments_of(np.ascontiguousarray(X[row]), y[row]), CS)
    assert np.abs(with_ties.coefficients - without.coefficients).max() < 1e-7


def test_labels_of_neither_are_fitted_like_half_of_each():
    X, y = problem(40_000, 6, 0.3)
    y[::3] = 0.5
    path = fit_path(moments_of(X, y), (0.01,))
    scaled = StandardScaler().fit_transform(X.astype(np.float64))
    twice, labels = np.repeat(scaled, 2, axis=0), np.column_stack([np.ceil(y), np.floor(y)]).ravel()
    other = LogisticRegression(C=0.005, solver="newton-cholesky", tol=1e-12).fit(twice, labels)
    assert path.coefficients[0] == pytest.approx(other.coef_[0], abs=1e-7)


def test_a_start_far_away_ends_where_any_other_does(no_descent):
    X, y = problem(20_000, 8, 0.3)
    near = fit_path(moments_of(X, y), CS)
    start = near.coefficients + np.random.default_rng(1).standard_normal(near.coefficients.shape) * 0.1
    far = fit_path(moments_of(X, y), CS, (start, near.intercepts + 0.2))
    assert np.abs(far.coefficients - near.coefficients).max() < 1e-7 * np.abs(near.coefficients).max()


@pytest.mark.parametrize(
    ("strength", "shift"),
    [(6.0, 0.0), (0.1, 3000.0)],
    ids=["a strong signal", "columns far from zero"],
)
def test_what_float32_or_a_sample_cannot_fit_is_left_to_exact_passes(strength, shift, monkeypatch):
    X, y = problem(20_000, 6, strength)
    X += np.float32(shift)
    path = fit_path(moments_of(X, y), CS)
    monkeypatch.setattr(surrogate, "LEAST_ROWS", 10**9)
    exact = fit_path(moments_of(X, y), CS)
    assert path.coefficients.tobytes() == exact.coefficients.tobytes()


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_fewer_rows_are_fitted_by_passes_over_all_of_them(strength, monkeypatch):
    X, y = problem(surrogate.SAMPLED_FROM - 1, 20, strength)
    monkeypatch.setattr(surrogate, "_SampledFit", None)
    path = fit_path(moments_of(X, y), CS)
    monkeypatch.setattr(surrogate, "LEAST_ROWS", 10**9)
    exact = fit_path(moments_of(X, y), CS)
    assert path.coefficients.tobytes() != exact.coefficients.tobytes()
    for own, wanted in zip(path.coefficients, exact.coefficients, strict=True):
        assert np.abs(own - wanted).max() < 1e-7 * np.abs(wanted).max()


def test_a_step_that_is_no_number_is_no_end_of_a_fit(monkeypatch):
    X, y = problem(surrogate.SAMPLED_FROM - 1, 4, 0.3)
    exact = fit_path(moments_of(X, y), CS)
    amiss = surrogate.Quadratic.solve
    monkeypatch.setattr(surrogate.Quadratic, "solve", lambda *asked: amiss(*asked) * np.nan)
    monkeypatch.setattr(surrogate, "_SampledFit", None)
    given_up = fit_path(moments_of(X, y), CS)
    assert np.abs(given_up.coefficients - exact.coefficients).max() < 1e-7


def test_a_model_is_not_done_before_the_halves_of_the_sample_agree(monkeypatch):
    X, y = problem(20_000, 20, 0.5)
    alone = fit_path(moments_of(X, y), CS).passes
    monkeypatch.setattr(surrogate, "TOLERANCE", 1.0)
    assert fit_path(moments_of(X, y), CS).passes == 1 < alone


def test_a_last_step_that_is_short_enough_asks_no_sample(no_descent, monkeypatch):
    X, y = problem(60_000, 20, 0.2)
    read, original = [], curved_part.curved_sums

    def sums(values, *arguments):
        read.append(len(values))
        return original(values, *arguments)

    monkeypatch.setattr(curved_part, "curved_sums", sums)
    assert fit_path(moments_of(X, y), CS).passes == read.count(len(X)) > 1
    assert read[-1] == len(X) > read[-2]


def test_a_resumed_run_gives_the_same_digits(no_descent):
    X, y = problem(60_000, 6, 0.2)
    times = np.arange(len(X))
    inputs = DesignMatrix(X, times), y, walk_forward(times, times + 3, 2, 5), CS
    crossval = CrossValidation(*inputs)
    fits = [crossval.fit_next() for _ in range(2)]
    said = crossval.predictions(fits[1])
    assert CrossValidation(*inputs, fits).predictions(fits[1]).tobytes() == said.tobytes()
    resumed = CrossValidation(*inputs, fits[:1])
    assert resumed.fit_next().path.coefficients.tobytes() == fits[1].path.coefficients.tobytes()
    assert resumed.final()[1].coefficients.tobytes() == crossval.final()[1].coefficients.tobytes()


def test_later_rows_change_nothing_in_a_fold(no_descent):
    X, y = problem(40_000, 6, 0.2)
    before = fit_path(moments_of(X, y, stop=20_000), CS)
    X[20_000:], y[20_000:] = 7.0, 0.0
    after = fit_path(moments_of(X, y, stop=20_000), CS)
    assert after.coefficients.tobytes() == before.coefficients.tobytes()


@pytest.mark.parametrize(("spiked", "seed"), [(1, 3), (2, 4), (5, 6)])
def test_a_column_that_only_a_few_rows_have_is_left_to_exact_passes(spiked, seed, monkeypatch):
    # Few or none of these rows are drawn, and the halves of the sample agree on what neither has seen.
    draw = np.random.default_rng(seed)
    X = draw.standard_normal((20_000, 6)).astype(np.float32)
    y = (draw.random(20_000) < 0.5).astype(float)
    rows = draw.choice(20_000, spiked, replace=False)
    X[:, -1], X[rows, -1], y[rows] = 0.0, 0.05, 1.0
    path = fit_path(moments_of(X, y), (0.01,))
    monkeypatch.setattr(surrogate, "LEAST_ROWS", 10**9)
    assert path.coefficients.tobytes() == fit_path(moments_of(X, y), (0.01,)).coefficients.tobytes()
