import importlib
import sys

import pytest

from common.lean_import import without


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
