import gc
import importlib
import subprocess
import sys
from types import ModuleType
from weakref import ref

import pytest

from common.lean_import import YOUNG_OBJECTS, collect_seldom, empty, uncollected, without


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


def test_a_module_within_a_package_is_empty_until_the_block_ends() -> None:
    package = ModuleType("package")
    package.known = known = ModuleType("package.known")  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="broken"), empty(package, "known", "other", "imported"):
        assert package.known is known
        assert isinstance(package.other, ModuleType)
        package.imported = known  # type: ignore[attr-defined]
        raise ValueError("broken")
    assert package.known is package.imported is known
    assert not hasattr(package, "other")


def test_a_trainer_imports_nothing_that_scipy_only_passes_on() -> None:
    script = """
import sys, numpy, trainer.job, trainer.pipeline
print(*[name for name in ("numpy.f2py", "numpy.polynomial", "numpy.testing") if name in sys.modules])
assert numpy.polynomial.Polynomial and numpy.testing.assert_equal
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


class Holder:
    """Holds what may hold it."""

    def __init__(self, held: list[object]) -> None:
        self.held = held


def test_what_makes_no_cycles_is_not_looked_through_after_each_document() -> None:
    thresholds = gc.get_threshold()
    gc.collect()
    before = gc.get_stats()[0]["collections"]
    try:
        collect_seldom()
        kept = [[number] for number in range(YOUNG_OBJECTS // 2)]
        assert gc.get_stats()[0]["collections"] == before
        assert gc.get_threshold()[1:] == thresholds[1:], (
            "what was looked through counts as old as soon as ever"
        )
    finally:
        gc.set_threshold(*thresholds)
    assert kept


def test_cycles_are_found_all_the_same() -> None:
    thresholds = gc.get_threshold()
    try:
        collect_seldom()
        cycle: list[object] = []
        gone = ref(holder := Holder(cycle))
        cycle.append(holder)
        del holder, cycle
        kept = [[number] for number in range(2 * YOUNG_OBJECTS)]
        assert gone() is None and kept
    finally:
        gc.set_threshold(*thresholds)
