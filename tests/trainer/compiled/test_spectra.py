import numpy as np
import pytest

from trainer.compiled.spectra import add_spectra


@pytest.mark.parametrize("rows", [1, 2, 3, 8, 501])
def test_products_of_a_part_with_itself_and_the_next_are_added(rows):
    draw = np.random.default_rng(rows)
    p, r, next_p, next_r, *sums = draw.standard_normal((7, rows)) + 1j * draw.standard_normal((7, rows))
    later = np.where(np.arange(rows) % 2, -1, 1)
    both, others = p + later * next_p, r + later * next_r
    products = np.stack([np.conj(p) * both, np.conj(r) * others, np.conj(r) * both])
    found = np.stack(sums)
    add_spectra((p, r), (next_p, next_r), found)
    assert found == pytest.approx(np.stack(sums) + products, rel=1e-13)


def test_spectra_of_other_lengths_are_refused():
    one, other = np.zeros(3, dtype=complex), np.zeros(4, dtype=complex)
    with pytest.raises(ValueError):
        add_spectra((one, other), (one, one), np.zeros((3, 3), dtype=complex))
    with pytest.raises(ValueError):
        add_spectra((one, one), (one, one), np.zeros((3, 6), dtype=complex)[:, ::2])
