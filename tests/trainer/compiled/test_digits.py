import platform

import pytest

from tests.trainer.compiled.specimens import digest_of_sums
from trainer.compiled import passes, predictions
from trainer.compiled.library import FUSED, PLAIN, library

DIGITS = {
    PLAIN: "0f70a130da01bc0ad5e7b67e3c12e43e7a9cec0c4f9f59ce8b84c48ec489fee7",
    FUSED: "e1a0af5b7496a9705c12ba1be474048d1602da1a8dc12a3158e5b43b6321b517",
}
"""Of what comes out where products and sums are not fused, and where they are."""


@pytest.mark.parametrize("name", DIGITS)
def test_the_digits_are_those_of_any_compiler(name, monkeypatch):
    if name == FUSED and not library(PLAIN).fuses():
        pytest.skip("this processor does not fuse products and sums, or all of its kind do")
    for module in (passes, predictions):
        monkeypatch.setattr(module, "_LIBRARY", library(name))
    fuses = name == FUSED or platform.machine() in {"aarch64", "arm64"}
    assert digest_of_sums() == DIGITS[FUSED if fuses else PLAIN]
