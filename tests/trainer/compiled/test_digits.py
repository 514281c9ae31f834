import platform

import pytest

from tests.trainer.compiled.specimens import digest_of_sums
from trainer.compiled import passes, predictions
from trainer.compiled.library import FUSED, PLAIN, library

DIGITS = {
    PLAIN: "f17699f529664764266ed13a84cba5ecc0eff13280895b84a8091bca5305a85b",
    FUSED: "29572ec240f6e3ca766e1efdf0c9ae9b73d02c9a99325115b7099e2f0ca82628",
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
