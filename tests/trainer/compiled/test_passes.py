import ctypes
import mmap
import os

import numpy as np
import pytest

from trainer.compiled import passes
from trainer.compiled.library import PLAIN, library

SHAPES = [(1, 1, 1), (50, 3, 5), (64, 8, 2), (200, 1, 6), (1025, 46, 5), (3001, 17, 26), (5000, 9, 4)]
"""Rows, columns and models: whole blocks and parts, whole vectors and parts, one group of models and more."""


@pytest.fixture(params=["plain", "fastest"])
def compiled(request, monkeypatch):
    if request.param == "plain":
        monkeypatch.setattr(passes, "_LIBRARY", library(PLAIN))


class Problem:
    def __init__(self, n, p, m, seed=0):
        draw = np.random.default_rng([n, p, m, seed])
        self.values = draw.standard_normal((2 * n, p)).astype(np.float32)
        self.row = np.sort(draw.choice(2 * n, n, replace=False))
        self.row[-1] = 2 * n - 1  # the matrix's last
        self.row = np.unique(self.row)
        rows = len(self.row)
        self.y = draw.choice([0.0, 0.5, 1.0], rows)
        self.weights = draw.standard_normal((m, p)) * 0.3
        self.offsets = draw.standard_normal(m)
        self.origin = draw.standard_normal(p)
        self.X = self.values[self.row].astype(np.float64)


@pytest.fixture(params=SHAPES, ids=str)
def problem(request):
    return Problem(*request.param)


def test_curved_sums_are_those_of_the_formula(compiled, problem):
    counted = np.random.default_rng(1).integers(0, 4, len(problem.row)).astype(np.float32)
    found = passes.curved_sums(problem.values, problem.row, counted, problem.weights, problem.offsets).sum(0)
    t = problem.X @ problem.weights.T + problem.offsets
    r = (np.tanh(t / 2) / 2 - t / 4) * counted[:, None]
    wanted = np.column_stack([r.sum(0), r.T @ problem.X])
    room = 1e-6 * np.column_stack([np.abs(r).sum(0), np.abs(r).T @ np.abs(problem.X)]) + 1e-9
    assert (np.abs(found - wanted) <= room).all()


@pytest.mark.parametrize(("function", "digits"), [("logistic_sums", 1e-13), ("logistic_sums_rounded", 2e-6)])
def test_gradients_and_curvatures_are_those_of_the_log_loss(compiled, problem, function, digits):
    weights = np.column_stack([problem.offsets, problem.weights])
    passed = getattr(passes, function)
    gradients, curvatures = passed(problem.values, problem.row, problem.y, problem.origin, weights)
    rows = np.column_stack([np.ones(len(problem.row)), problem.X - problem.origin])
    p = 1 / (1 + np.exp(-rows @ weights.T))
    residuals = p - problem.y[:, None]
    wanted = residuals.T @ rows
    assert (np.abs(gradients - wanted) <= digits * (1 + np.abs(residuals).T @ np.abs(rows))).all()
    assert curvatures == pytest.approx((p * (1 - p)).sum(0), rel=10 * digits)


def test_certainties_are_told_without_an_overflow(compiled):
    values = np.array([[-1e4], [-300.0], [300.0], [1e4]], dtype=np.float32)
    for passed in (passes.logistic_sums, passes.logistic_sums_rounded):
        arguments = values, np.arange(4), np.array([0.0, 0.0, 1.0, 1.0]), np.zeros(1), np.array([[0.0, 1.0]])
        gradients, curvatures = passed(*arguments)
        assert np.abs(gradients).max() < 1e-30
        assert 0 <= curvatures[0] < 1e-30


def test_weighted_sums_are_those_of_all_rows(compiled, problem):
    weights = np.random.default_rng(2).standard_normal(len(problem.row))
    found, sizes = passes.weighted_sums(problem.values, problem.row, weights)
    assert sizes.tobytes() == passes.sizes(problem.values, problem.row).tobytes()
    rows = np.column_stack([np.ones(len(weights)), problem.X])
    assert (
        np.abs(found - weights @ rows) <= 1e-14 * (np.abs(weights) @ np.abs(rows)) * len(rows) ** 0.5
    ).all()


def test_products_are_those_of_all_rows(compiled, problem):
    rows = np.column_stack([np.ones(len(problem.row)), problem.X - problem.origin])
    found = passes.products(problem.values, 0, len(problem.row), problem.row, problem.origin)
    assert (np.abs(found - rows.T @ rows) <= 1e-13 * (np.abs(rows).T @ np.abs(rows))).all()
    assert np.array_equal(found, found.T)


def test_products_of_a_stretch_are_those_of_its_rows(compiled, problem):
    start, stop = len(problem.values) // 3, len(problem.values)
    found = passes.products(problem.values, start, stop, None, problem.origin)
    rows = np.arange(start, stop)
    assert np.array_equal(found, passes.products(problem.values, 0, len(rows), rows, problem.origin))
    assert not passes.products(problem.values, start, start, None, problem.origin).any()


def test_sizes_are_the_third_powers_of_lengths(compiled, problem):
    found = passes.sizes(problem.values, problem.row)
    assert found == pytest.approx(np.linalg.norm(problem.X, axis=1) ** 3, rel=1e-5)


def test_judged_says_log_odds_and_losses(compiled, problem):
    start, stop = len(problem.values) // 3, len(problem.values)
    signs = np.random.default_rng(3).choice([1.0, -1.0, 0.0, np.nan], stop - start)
    t = problem.values[start:stop].astype(float) @ problem.weights.T + problem.offsets
    chosen = len(problem.offsets) - 1
    judged = passes.judged(problem.values, start, stop, problem.weights, problem.offsets, chosen, signs, 36.0)
    assert judged[0] == pytest.approx(t[:, chosen], rel=1e-12, abs=1e-13)
    fell, rose = np.logaddexp(0, t), np.logaddexp(0, -t)
    each = np.select([signs == 1.0, signs == -1.0, signs == 0.0], [fell.T, rose.T, (fell + rose).T / 2], 0.0)
    assert judged[1] == pytest.approx(each.sum(axis=1), rel=1e-12, abs=1e-13)


def test_what_is_judged_by_rounded_log_odds_is_said_to_the_last_digit(compiled, problem):
    signs = np.random.default_rng(3).choice([1.0, -1.0, 0.0, np.nan], len(problem.values))
    for scale in (0.1, 1.0, 30.0):
        models = problem.weights * scale, problem.offsets * scale
        arguments = problem.values, 0, len(problem.values), *models, len(problem.offsets) // 2, signs, 36.0
        said, losses = passes.judged(*arguments)
        found = passes.judged(*arguments, rounded=True)
        assert found[0].tobytes() == said.tobytes()
        assert found[1] == pytest.approx(losses, rel=1e-6, abs=1e-6 * len(signs) ** 0.5)


def test_no_losses_are_rounded_of_no_signs(compiled):
    with pytest.raises(ValueError, match="no signs"):
        passes.judged(
            np.ones((9, 1), np.float32), 0, 9, np.ones((1, 1)), np.zeros(1), 0, None, 36.0, rounded=True
        )


def test_digits_depend_neither_on_other_models_nor_on_where_the_rows_lie(compiled, problem):
    shifted = np.empty(problem.values.size + 3, dtype=np.float32)[3:].reshape(problem.values.shape)
    shifted[:] = problem.values
    origin = np.zeros(problem.X.shape[1])
    for values, some in ((problem.values, slice(None)), (shifted, slice(None)), (shifted, slice(0, 1))):
        weights, offsets = problem.weights[some], problem.offsets[some]
        found = (
            passes.curved_sums(values, problem.row, None, weights, offsets)[:, 0],
            passes.logistic_sums(values, problem.row, problem.y, origin, np.column_stack([offsets, weights]))[
                0
            ][0],
            *(each[:1] for each in passes.judged(values, 0, 2, weights, offsets, 0, np.ones(2), 36.0)),
        )
        if some == slice(None) and values is problem.values:
            first = found
        assert [each.tobytes() for each in found] == [each.tobytes() for each in first]


@pytest.mark.skipif(os.name != "posix", reason="pages are forbidden by mprotect")
def test_nothing_is_read_beyond_the_matrix(compiled):
    size = 3 * mmap.PAGESIZE
    pages = mmap.mmap(-1, size + mmap.PAGESIZE)
    beyond = np.frombuffer(pages, np.uint8)[size:].ctypes.data
    assert ctypes.CDLL(None, use_errno=True).mprotect(ctypes.c_void_p(beyond), mmap.PAGESIZE, 0) == 0
    for columns in (1, 3, 8, 13):
        rows = size // 4 // columns
        values = np.frombuffer(pages, np.float32, rows * columns, size - 4 * rows * columns)
        values = values.reshape(rows, columns)
        row, weights, origin = np.arange(rows), np.ones((2, columns)), np.zeros(columns)
        passes.curved_sums(values, None, None, weights, np.zeros(2))
        passes.logistic_sums(values, row, np.ones(rows), origin, np.ones((2, columns + 1)))
        passes.logistic_sums_rounded(values, row, np.ones(rows), origin, np.ones((2, columns + 1)))
        passes.weighted_sums(values, row, np.ones(rows))
        passes.products(values, 0, rows, None, origin)
        passes.sizes(values, row)
        passes.judged(values, 0, rows, weights, np.zeros(2), 0, None, 36.0)
        passes.judged(values, 0, rows, weights, np.zeros(2), 0, np.ones(rows), 36.0, rounded=True)


def test_no_more_rows_are_drawn_than_there_is_room_for(compiled):
    positions, weights = passes.draw(np.zeros(100), 0.0, 0.5, 10)
    assert positions.tolist() == list(range(0, 20, 2))
    assert weights.tolist() == [2.0] * 10


def test_a_row_beyond_the_matrix_is_refused_wherever_it_stands(compiled):
    values, row = np.ones((100, 5), dtype=np.float32), np.arange(300) % 100
    row[150] = 10**9
    for asked in (
        lambda: passes.curved_sums(values, row, None, np.ones((1, 5)), np.zeros(1)),
        lambda: passes.weighted_sums(values, row, np.ones(300)),
        lambda: passes.products(values, 0, 300, row, np.zeros(5)),
        lambda: passes.sizes(values, row),
    ):
        with pytest.raises(ValueError, match="not in the matrix"):
            asked()


def test_weights_of_another_kind_are_read_as_what_they_are():
    values, row = np.random.default_rng(4).standard_normal((50, 3)).astype(np.float32), np.arange(50)
    weights = np.array([[1.0, 2.0, -3.0, 0.5]])
    wanted = passes.logistic_sums(values, row, np.zeros(50), np.zeros(3), weights)[0]
    found = passes.logistic_sums(values, row, np.zeros(50), np.zeros(3), weights.astype(np.float32))[0]
    assert found.tobytes() == wanted.tobytes()


@pytest.mark.parametrize(
    "broken",
    [
        {"values": np.zeros((4, 3))},
        {"values": np.zeros((4, 6), dtype=np.float32)[:, ::2]},
        {"values": np.zeros((4, 2), dtype=np.float32)},
        {"row": np.array([0, 4])},
        {"row": np.array([-1, 2])},
        {"row": np.array([0, 5 * 10**7])},
        {"row": np.array([-(2**62), 2])},
        {"row": np.array([0, 1], dtype=np.int32)},
        {"y": np.zeros(3)},
        {"origin": np.zeros(2)},
    ],
    ids=lambda broken: next(iter(broken)),
)
def test_what_would_be_read_amiss_is_refused(broken):
    right = {
        "values": np.zeros((4, 3), dtype=np.float32),
        "row": np.array([0, 3]),
        "y": np.zeros(2),
        "origin": np.zeros(3),
        "weights": np.zeros((2, 4)),
    }
    passes.logistic_sums(**right)
    with pytest.raises(ValueError, match=r"must be|not in the matrix"):
        passes.logistic_sums(**right | broken)
