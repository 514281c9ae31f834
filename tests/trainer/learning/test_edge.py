import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.compiled.edges import End
from trainer.learning.edge import FoldOutcome, Tenth, edge


def of(p, moves, horizon=1, costs_bp=10.0):
    return edge([FoldOutcome(np.asarray(p, float), np.asarray(moves, float))], horizon, costs_bp)


def test_the_highest_tenth_is_bought_and_the_lowest_sold():
    moves = np.zeros(40)
    moves[[7, 8, 9, 10]] = [12, 20, -30, -14]
    p = np.full(40, 0.5)
    p[[7, 8, 9, 10]] = [0.6, 0.7, 0.8, 0.9]  # the highest tenth has four rows
    p[[20, 21, 22, 23]] = [0.1, 0.2, 0.3, 0.4]
    moves[[20, 21, 22, 23]] = [-8, -8, -8, 4]
    found = of(p, moves)
    assert (found.rows, found.tenth_rows) == (40, 4)
    assert (found.high_bp, found.low_bp) == (-3, -5)
    assert found.edge_bp == 1
    assert found.beyond_costs_share == 4 / 40


def test_a_model_that_is_right_has_the_size_of_the_moves_and_one_that_is_wrong_its_opposite():
    moves = np.random.default_rng(1).normal(0, 5, 1000)
    right, wrong = of(moves, moves), of(-moves, moves)
    assert right.edge_bp == pytest.approx(np.sort(np.abs(moves))[-200:].mean(), rel=0.02)
    assert wrong.edge_bp == -right.edge_bp


def test_rows_of_equal_predictions_share_the_room_that_is_left():
    p = np.array([0.9, 0.6, 0.6, 0.6, *[0.5] * 16])  # room for two
    for tenth, sign in ((Tenth.highest(p), 1), (Tenth.lowest(-p), -1)):
        assert (tenth.rows, tenth.end) == (2, End(sign * 0.6, pytest.approx(1 / 3)))
    moves = np.array([3.0, 6.0, 0.0, 0.0, *[0.0] * 16])
    assert of(p, moves).high_bp == pytest.approx((3 + 6 / 3) / 2)
    # A model that says the same of all rows buys and sells all of them, and gains nothing.
    assert of(np.full(50, 0.5), np.arange(50)).edge_bp == pytest.approx(0)


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(10, 80), values=st.integers(1, 30), seed=st.integers(0, 2**16))
def test_tenths_are_those_of_an_ordering_row_by_row_whatever_the_order_of_equals(rows, values, seed):
    draw = np.random.default_rng(seed)
    p, moves = draw.integers(0, values, rows) / values, draw.normal(0, 3, rows)
    count = rows // 10
    means = []
    for _ in range(400):
        mixed = draw.permutation(rows)
        order = mixed[np.argsort(p[mixed], kind="stable")]
        means.append((moves[order[-count:]].mean(), moves[order[:count]].mean()))
    high, low = np.mean(means, axis=0)
    found = of(p, moves)
    assert found.high_bp == pytest.approx(high, abs=1.2)
    assert found.low_bp == pytest.approx(low, abs=1.2)
    if len(set(p.tolist())) == rows:
        assert (found.high_bp, found.low_bp) == pytest.approx((high, low))


def test_each_fold_has_tenths_of_its_own():
    calm, wild = np.linspace(0.49, 0.50, 100), np.linspace(0.6, 0.7, 50)
    moves = [np.arange(100.0), np.arange(50.0)]
    found = edge([FoldOutcome(calm, moves[0]), FoldOutcome(wild, moves[1])], 1, 10)
    assert (found.rows, found.tenth_rows) == (150, 15)
    assert found.high_bp == pytest.approx((10 * 94.5 + 5 * 47) / 15)


@pytest.mark.parametrize("horizon", [1, 5])
def test_the_standard_error_is_as_large_as_the_edge_of_what_knows_nothing(horizon):
    draw = np.random.default_rng(2)
    ratios, naive = [], []
    for _ in range(1500):
        returns = draw.standard_t(4, 3000 + horizon) * np.exp(
            0.4 * np.cumsum(draw.normal(0, 0.05, 3000 + horizon))
        )
        moves = np.convolve(returns, np.ones(horizon), "valid")[1:]
        slow = np.convolve(draw.standard_normal(len(moves) + 29), np.ones(30), "valid")
        found = of(slow, moves, horizon)
        ratios.append(found.edge_bp / found.standard_error_bp)
        naive.append(found.edge_bp / (moves.std() / np.sqrt(2 * found.tenth_rows)))
    within = np.mean(np.abs(ratios) < 1.96)
    assert 0.93 < within < 0.965
    if horizon == 5:
        # Were overlapping returns taken for independent, the error would be half of what it is.
        assert np.mean(np.abs(naive) < 1.96) < 0.75


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(10, 60), horizon=st.integers(1, 4), seed=st.integers(0, 2**16))
def test_the_standard_error_is_the_sum_over_lags_one_by_one(rows, horizon, seed):
    draw = np.random.default_rng(seed)
    p, moves = draw.permutation(rows) / rows, draw.normal(0, 3, rows)
    found = of(p, moves, horizon)
    count, order = found.tenth_rows, np.argsort(p)
    part = np.zeros(rows)
    part[order[-count:]] = (moves[order[-count:]] - found.high_bp) / (2 * count)
    part[order[:count]] = -(moves[order[:count]] - found.low_bp) / (2 * count)
    reach = min(4 * horizon, rows // 3)
    variance = part @ part
    for lag in range(1, reach + 1):
        variance += 2 * (1 - lag / (reach + 1)) * (part[lag:] @ part[:-lag])
    variance *= 1 + (horizon - 1 / horizon) / (3 * (reach + 1))
    assert found.standard_error_bp**2 == pytest.approx(variance, abs=1e-9)
