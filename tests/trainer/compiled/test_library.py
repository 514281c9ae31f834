import ctypes
from pathlib import Path

import pytest

from common.errors import ConfigurationError
from trainer.compiled import library


def test_a_library_that_was_not_compiled_is_named_with_what_to_do():
    with pytest.raises(ConfigurationError, match=r"trainer\.compiled\.nowhere") as raised:
        library.library("trainer.compiled.nowhere")
    assert "make setup" in raised.value.hint


def test_a_library_of_other_sources_is_told_from_that_of_these(monkeypatch):
    monkeypatch.setattr(library, "source_digest", lambda folder: "0" * 64)
    with pytest.raises(ConfigurationError, match="has changed since it was compiled") as raised:
        library.library(library.PLAIN)
    assert "make setup" in raised.value.hint


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="the processor is asked for otherwise here")
def test_it_knows_whether_the_processor_fuses_products_and_sums():
    flags = Path("/proc/cpuinfo").read_text()
    assert library.library(library.PLAIN).fuses() == (" avx2 " in flags and " fma " in flags)


def test_the_fastest_that_this_processor_runs_is_opened():
    plain = library.library(library.PLAIN)
    expected = library.library(library.FUSED) if plain.fuses() else plain
    address = ctypes.cast(library.opened().curved_sums, ctypes.c_void_p).value
    assert address == ctypes.cast(expected.curved_sums, ctypes.c_void_p).value
