import numpy as np
import pytest

from trainer.learning.design_matrix import CHUNK_ROWS, DesignMatrix, aligned


@pytest.mark.parametrize("step", [1, 3])
def test_chunks_are_the_chosen_rows_in_order(step):
    values = np.random.default_rng(0).standard_normal((3 * CHUNK_ROWS, 4)).astype(np.float32)
    row = np.arange(5, len(values), step)
    design = DesignMatrix(values, row)
    parts = [(rows.start, rows.stop, chunk.copy()) for rows, chunk in design.chunks(7, len(row))]
    assert [start for start, _, _ in parts] == list(range(7, len(row), CHUNK_ROWS))
    assert np.array_equal(
        np.concatenate([chunk for _, _, chunk in parts]), values[row[7:]].astype(np.float64)
    )


def test_chunks_of_nothing_are_none():
    design = DesignMatrix(np.ones((3, 2), np.float32), np.arange(3))
    assert list(design.chunks(2, 2)) == []


def test_buffers_begin_at_a_cache_line():
    assert all(aligned((rows, 3)).ctypes.data % 64 == 0 for rows in range(1, 50))
