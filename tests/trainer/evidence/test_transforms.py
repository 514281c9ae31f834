"""Fourier transforms are quick, and those of SciPy."""

from __future__ import annotations

import platform

import numpy as np
import pytest
import scipy.fft

from trainer.evidence.transforms import fast_length


def test_a_fast_length_is_scipys() -> None:
    lengths = [*range(1, 20_000), *np.random.default_rng(5).integers(1, 1 << 40, size=2_000).tolist()]
    assert [fast_length(least) for least in lengths] == [
        scipy.fft.next_fast_len(least, real=True) for least in lengths
    ]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="compilers for other processors fuse as they like")
def test_transforms_are_scipys_digit_for_digit() -> None:
    random = np.random.default_rng(6)
    for rows in (8, 1_000, 16_384, 250_047):
        series = random.standard_normal(rows)
        length = fast_length(2 * rows)
        spectrum = np.fft.rfft(series, length)
        np.testing.assert_array_equal(spectrum, scipy.fft.rfft(series, length))
        power = spectrum * spectrum.conj()
        np.testing.assert_array_equal(np.fft.irfft(power, length), scipy.fft.irfft(power, length))
