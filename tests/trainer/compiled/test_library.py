import ctypes

import pytest

from common.errors import InternalError
from trainer.compiled import library


def test_a_library_that_was_not_compiled_is_named_with_what_to_do():
    with pytest.raises(InternalError, match=r"trainer\.compiled\.nowhere") as raised:
        library.library("trainer.compiled.nowhere")
    assert "make setup" in raised.value.hint


def test_the_fastest_that_this_processor_runs_is_opened():
    plain = library.library(library.PLAIN)
    expected = library.library(library.FUSED) if plain.fuses() else plain
    address = ctypes.cast(library.opened().curved_sums, ctypes.c_void_p).value
    assert address == ctypes.cast(expected.curved_sums, ctypes.c_void_p).value
