import platform

import pytest

from tests.trainer.compiled.specimens import digest_of_features, digest_of_sums
from trainer.compiled import edges, features, passes, predictions, spectra
from trainer.compiled.library import FUSED, PLAIN, library

DIGITS = {
    PLAIN: "82501680b3737cebf97c86ccbde52f408d35cb493e6d561d193d360f8ac25aec",
    FUSED: "37adc27d8e869a2448ce47625c72f02d37f342ab3e0b6e29bde5fe4870adc673",
}
"""Of what comes out where products and sums are not fused, and where they are."""

FEATURE_DIGITS = {
    PLAIN: "191ec2bc2e6fa8a50bc71b7d1000debee9b3be24797d1e372b3258517c8790a2",
    FUSED: "0a35e698c2d57c419d43ee24b03e31f40faee2ffb2c303e092e83828b75e1730",
}
"""Of features, likewise."""


@pytest.mark.parametrize("name", DIGITS)
def test_the_digits_are_those_of_any_compiler(name, monkeypatch):
    if name == FUSED and not library(PLAIN).fuses():
        pytest.skip("this processor does not fuse products and sums, or all of its kind do")
    for module in (edges, features, passes, predictions, spectra):
        monkeypatch.setattr(module, "_LIBRARY", library(name))
    fuses = name == FUSED or platform.machine() in {"aarch64", "arm64"}
    kind = FUSED if fuses else PLAIN
    assert (digest_of_sums(), digest_of_features()) == (DIGITS[kind], FEATURE_DIGITS[kind])
