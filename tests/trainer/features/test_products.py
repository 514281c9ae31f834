import numpy as np
import pytest

from trainer.features.products import BLOCK_ROWS, Products, open_products, products_of

ROWS = 2 * BLOCK_ROWS + 5000


@pytest.fixture(scope="module")
def values():
    draw = np.random.default_rng(1)
    return (draw.standard_normal((ROWS, 3)) * [1, 0.01, 1] + [0, 9, -1]).astype(np.float32)


def directly(values, rows):
    part = np.column_stack([np.ones(len(rows)), values[rows].astype(float) - values[0].astype(float)])
    return part.T @ part


@pytest.mark.parametrize("stop", [1, 2048, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, ROWS])
def test_sums_over_the_first_rows_are_those_of_these_rows(values, stop):
    products = Products.computed(values)
    for start in (0, stop // 3, stop):
        found = products.until(start, directly(values, np.arange(start)), stop)
        assert found == pytest.approx(directly(values, np.arange(stop)), rel=1e-11)


def test_sums_over_chosen_rows_are_those_of_these_rows(values):
    row = np.arange(7, ROWS, 5)
    assert products_of(values, 10, 5000, row) == pytest.approx(directly(values, row[10:5000]), rel=1e-11)
    assert not products_of(values, 0, 0, row[:0]).any()


def test_they_are_computed_once_and_read_afterwards(values, tmp_path, monkeypatch):
    path = tmp_path / "BTCUSDT_1m_0.features"
    first = open_products(path, "a" * 64, values)
    monkeypatch.setattr(Products, "computed", None)
    again = open_products(path, "a" * 64, values)
    assert again.digest == first.digest
    assert np.array_equal(again.blocks, first.blocks)


@pytest.mark.parametrize("damage", ["bit", "cut", "head", "other"])
def test_what_is_damaged_or_of_another_matrix_is_computed_again(values, tmp_path, damage):
    path = tmp_path / "BTCUSDT_1m_0.features"
    first = open_products(path, "a" * 64, values)
    kept = path.with_suffix(".products")
    content = bytearray(kept.read_bytes())
    if damage == "bit":
        content[-3] ^= 1
    elif damage == "cut":
        content = content[:-8]
    elif damage == "head":
        content[:1] = b"["
    kept.write_bytes(content)
    digest = ("b" if damage == "other" else "a") * 64
    assert np.array_equal(open_products(path, digest, values).blocks, first.blocks)
    assert kept.read_bytes() != content
