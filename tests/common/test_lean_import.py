import gc
import importlib
import sys

import pytest

from common.lean_import import uncollected, without


def test_a_module_is_missing_until_the_block_ends() -> None:
    sys.modules.pop("colorsys", None)
    with without("colorsys"), pytest.raises(ModuleNotFoundError, match="colorsys"):
        importlib.import_module("colorsys")
    assert importlib.import_module("colorsys").rgb_to_hsv


def test_a_module_that_is_imported_already_stays() -> None:
    with without("json"):
        assert importlib.import_module("json") is sys.modules["json"]
    assert sys.modules["json"] is not None


def test_an_error_leaves_no_module_missing() -> None:
    with pytest.raises(ValueError, match="broken"), without("wave"):
        raise ValueError("broken")
    assert importlib.import_module("wave")


def test_nothing_is_collected_until_the_block_ends_even_by_an_error() -> None:
    frozen = gc.get_freeze_count()
    try:
        with pytest.raises(ValueError, match="broken"), uncollected():
            assert not gc.isenabled()
            raise ValueError("broken")
        assert gc.isenabled() and gc.get_freeze_count() > frozen
    finally:
        gc.unfreeze()
