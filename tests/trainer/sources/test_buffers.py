import numpy as np
import pyarrow as pa
import pytest

from trainer.sources.buffers import numbers_of


@pytest.mark.parametrize(
    "column",
    [
        pa.chunked_array([[1, 2, 3]]),
        pa.chunked_array([[1, 2], [], [3]]),
        pa.chunked_array([pa.array([9, 1, 2, 3], pa.int32()).slice(1, 2), pa.array([4], pa.int32())]),
        pa.chunked_array([pa.array([1.5, float("nan")])]).slice(1),
        pa.chunked_array([[1, None, 3]]),
        pa.chunked_array([[1.0, None]]),
        pa.chunked_array([], pa.int64()),
        pa.chunked_array([[], []], pa.float32()),
        pa.chunked_array([pa.array([1, 2**63], pa.uint64())]),
        pa.chunked_array([pa.array([1, 2], pa.int8())]),
    ],
)
def test_numbers_are_those_of_arrows_own_conversion(column) -> None:
    ours, theirs = numbers_of(column), column.to_numpy()
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)
