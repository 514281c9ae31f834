import numpy as np
import pytest

from trainer.compiled.projection import projected


@pytest.mark.parametrize("columns", [1, 3, 4, 7, 8, 50])
def test_a_projection_is_all_products_times_the_direction(columns):
    draw = np.random.default_rng(columns)
    values = draw.normal(3.0, 1.0, (200, columns)).astype(np.float32)
    origin, along = draw.normal(3.0, 1.0, columns), draw.normal(0.0, 1.0, columns + 1)
    for first, rows in ((0, 200), (5, 190), (199, 1), (7, 0)):
        part = np.column_stack([np.ones(rows), values[first : first + rows] - origin])
        found, squares = projected(values, first, rows, origin, along)
        assert found == pytest.approx(part.T @ part @ along, rel=1e-12, abs=1e-12)
        assert squares == pytest.approx(np.sum(part**2, axis=0), rel=1e-13)


def test_rows_that_are_not_there_and_directions_of_other_sizes_are_refused():
    values, origin, along = np.ones((9, 2), dtype=np.float32), np.zeros(2), np.zeros(3)
    for wrong in (
        lambda: projected(values, 5, 5, origin, along),
        lambda: projected(values, -1, 5, origin, along),
        lambda: projected(values, 0, 9, origin, along[1:]),
        lambda: projected(values, 0, 9, along, along),
        lambda: projected(values[:, ::2], 0, 9, origin[:1], along[:2]),
        lambda: projected(values.astype(np.float64), 0, 9, origin, along),
    ):
        with pytest.raises(ValueError):
            wrong()
