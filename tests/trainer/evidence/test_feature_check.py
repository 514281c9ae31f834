import dataclasses

import numpy as np
import pytest

from tests.trainer.evidence.claims import Job
from trainer.evidence.feature_check import are_products
from trainer.features import context as context_module
from trainer.features import indicators as features
from trainer.features.indicators import NAMES
from trainer.features.products import BLOCK_ROWS, Products


def test_features_that_know_nothing_of_later_rows_pass(job):
    check = job.check_features()
    assert check.passed and check.checked > 0, check


def test_features_with_context_pass(hours, days, tmp_path):
    job = Job(hours, tmp_path, [days])
    assert job.matrix.contexts == ("1d",)
    check = job.check_features()
    assert check.passed, check


def leaky_next_close(rows):
    column = rows[:, NAMES.index("return_1")]
    column[:] = np.append(column[1:], 0.0)


def leaky_whole_block_mean(rows):
    rows[:, NAMES.index("return_1")] -= rows[:, NAMES.index("return_1")].mean()


def leaky_window_in_the_middle(rows):
    column = rows[:, NAMES.index("volatility_5")]
    column[:] = np.convolve(column, np.ones(5) / 5, "same")


@pytest.mark.parametrize("leak", [leaky_next_close, leaky_whole_block_mean, leaky_window_in_the_middle])
def test_a_feature_that_looks_ahead_fails_and_is_named(hours, tmp_path, monkeypatch, leak):
    def leaking(*given):
        rows, usable = original(*given)
        leak(rows)
        return rows, usable

    original = features.rows_of
    monkeypatch.setattr(features, "rows_of", leaking)
    check = Job(hours, tmp_path).check_features()
    assert not check.passed
    assert ("volatility_5" if leak is leaky_window_in_the_middle else "return_1") in check.detail


def test_context_of_a_bar_that_has_not_closed_fails(hours, days, tmp_path, monkeypatch):
    def known_at_its_opening(candles):
        frame = original(candles)
        return dataclasses.replace(frame, close_time=frame.close_time - candles.interval_ms)

    original = context_module.context_frame
    with monkeypatch.context() as patch:
        patch.setattr("trainer.features.matrix.context_frame", known_at_its_opening)
        job = Job(hours, tmp_path, [days])
    assert not job.check_features().passed


def test_context_that_looks_ahead_fails(hours, days, tmp_path, monkeypatch):
    def centred(candles):
        frame = original(candles)
        values = np.roll(frame.values, -1, axis=0) if len(frame.values) else frame.values
        return dataclasses.replace(frame, values=values)

    original = context_module.context_frame
    for module in ("features.matrix", "evidence.feature_check"):
        monkeypatch.setattr(f"trainer.{module}.context_frame", centred)
    check = Job(hours, tmp_path, [days]).check_features()
    assert not check.passed
    assert "context_1d" in check.detail


def test_a_matrix_that_was_altered_fails(job):
    values = np.array(job.matrix.values)
    values[:, 5] = np.nextafter(values[:, 5], np.float32(20))
    check = job.check_features(values=values)
    assert not check.passed
    assert job.matrix.names[5] in check.detail


def test_the_features_are_checked_once_a_matrix(job, monkeypatch):
    first = job.check_features()
    monkeypatch.setattr("trainer.evidence.feature_check.matrix_rows", None)
    assert job.check_features() == first
    with pytest.raises(TypeError):
        job.check_features(digest="0" * 64)


def test_a_damaged_memory_of_the_check_is_not_believed(job):
    first = job.check_features()
    job.matrix.path.with_suffix(".certificate.json").write_text('{"digest": "')
    assert job.check_features() == first


def test_sums_of_products_of_other_rows_are_found():
    draw = np.random.default_rng(4)
    values = draw.normal([0, 9, -1], 1.0, (3 * BLOCK_ROWS + 7, 3)).astype(np.float32)
    products = Products.computed(values)
    assert are_products(products)
    for block, place in ((1, (0, 0)), (2, (1, 2)), (3, (3, 3))):
        blocks = products.blocks.copy()
        blocks[block:][:, place[0], place[1]] += 1e-3
        assert not are_products(dataclasses.replace(products, blocks=blocks))
    nudged = values.copy()
    nudged[BLOCK_ROWS + 5, 1] += 0.01
    assert not are_products(dataclasses.replace(products, values=nudged))


def test_a_single_sum_that_is_wrong_by_a_millionth_is_found_wherever_it_is():
    draw = np.random.default_rng(5)
    values = draw.normal([0, 9, -1, 1e-3], [1, 1, 5, 1e-4], (BLOCK_ROWS, 4)).astype(np.float32)
    products = Products.computed(values)
    scale = np.sqrt(products.blocks[1].diagonal())
    for place in np.ndindex(5, 5):
        for sign in (-1, 1):
            blocks = products.blocks.copy()
            blocks[1][place] += sign * 1e-6 * (scale[place[0]] * scale[place[1]] + 1)
            assert not are_products(dataclasses.replace(products, blocks=blocks)), place


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1e300, 1e300])
def test_sums_of_products_that_are_no_numbers_or_beyond_all_are_found(wrong):
    values = np.random.default_rng(6).normal(size=(BLOCK_ROWS, 3)).astype(np.float32)
    products = Products.computed(values)
    for place in np.ndindex(4, 4):
        blocks = products.blocks.copy()
        blocks[1][place] = wrong
        assert not are_products(dataclasses.replace(products, blocks=blocks)), place
